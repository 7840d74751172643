package rotation

// The names of the steps that the lists of this package have. Their order is a list's.
const (
	StepBegin      = "begin"
	StepStage      = "stage"
	StepInstall    = "install"
	StepCanary     = "canary"
	StepPublish    = "publish"
	StepDistribute = "distribute"
	StepActivate   = "activate"
	StepRollout    = "rollout"
	StepVerify     = "verify"
	StepDrain      = "drain"
	StepRevoke     = "revoke"
	StepForget     = "forget"
	StepSoak       = "soak"
	StepSessions   = "sessions"
	StepRetire     = "retire"
)
