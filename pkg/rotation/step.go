package rotation

import (
	"context"
	"time"
)

// Phase is what a look at a step found.
type Phase string

// The phases of a step. Only Done lets a run go on by itself.
const (
	Done    Phase = "done"
	ToDo    Phase = "to do"   // false, and Apply can make it true
	Waiting Phase = "waiting" // false, and will become true without us, or cannot yet
	Failed  Phase = "failed"  // false, and will not become true by waiting
	// Doubtful: it looks true, and nothing proved it. It asks for consent, of the kinds that its items or itself name.
	Doubtful Phase = "unproven"
	// Stale: what was true was made false by somebody else. It asks for consent of the kind "stale"
	// before it is made true again.
	Stale Phase = "stale"
)

// State is what a look at a step found, with its evidence.
type State struct {
	Phase Phase
	Note  string    // the evidence in words: "0 sessions of backend_v1"
	Items []Item    // one per pod, node, session or workload, where that helps
	Until time.Time // a wait that ends by itself at this time
	// Consent is the kind of consent that a Doubtful state without doubtful items takes; "" is ConsentUnproven.
	Consent string
}

// Item is one line of a step's evidence.
type Item struct {
	Name  string `json:"name"`
	Of    string `json:"of,omitempty"` // what it is a part of: the workload of a pod
	Phase Phase  `json:"state,omitempty"`
	Note  string `json:"note,omitempty"`
	// MaySkip is true of what an operator can decide to go on without: a gate, something looked at before the beginning.
	MaySkip bool `json:"maySkip,omitempty"`
	// Consent is the kind of consent that it takes to begin without it, where that is one of its own; of a Doubtful item, to
	// go on in spite of it.
	Consent string `json:"-"`
}

// Skipped is the phase of an item that an operator has decided to go on without.
const Skipped Phase = "skipped"

// Step is one line of a rotation's checklist. Its functions are given the record as it is when they are
// called, and that record's intent is the one that the list was made for.
type Step struct {
	Name string // stable: part of the events, the documentation and --until
	Goal string // what is true once it is done, for people
	// Check looks; it changes nothing.
	Check func(context.Context, Record) (State, error)
	// Apply makes it true, or brings it nearer; it can be repeated. Nil is a pure wait.
	Apply func(context.Context, Record) error
	// Guard is health, looked at before Apply: anything but Done holds Apply up. What its items say becomes part of what
	// Ask asks. May be nil.
	Guard func(context.Context, Record) (State, error)
	// Plan says what Apply would do, in lines for people, with no value in them. May be nil.
	Plan func(context.Context, Record) ([]string, error)
	// Skip records that the operator goes on without the items of these names, which may be skipped. Nil: nothing of this step may be.
	Skip func(ctx context.Context, rec Record, names []string) error
	// Watched is true of a step about consumers only: it need not be looked at before one of them changes.
	Watched bool
	// Recorded is true of a step whose Apply writes to the Store and nowhere else.
	Recorded bool
	// Long is true of a step whose Apply takes as long as it gets on, each of its calls within a time of its own.
	Long bool
	// Resurvey has all steps before this one looked at again before Apply: it takes something away.
	Resurvey bool
	// Final is true of a step after which there is no way back.
	Final bool
	// Ask wants the operator's consent before Apply; the text says what will happen and whether it can be undone.
	Ask string
	// Consent is the kind of consent that Ask wants; "" is ConsentProceed.
	Consent string
}

func (s Step) consent() string {
	if s.Consent == "" {
		return ConsentProceed
	}
	return s.Consent
}

// The names of the steps, in their order.
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

// StepNames are the names of all steps that a list may have, in their order.
func StepNames() []string {
	return []string{
		StepBegin, StepStage, StepInstall, StepCanary, StepPublish, StepDistribute, StepActivate, StepRollout,
		StepVerify, StepDrain, StepRevoke, StepForget, StepSoak, StepSessions, StepRetire,
	}
}
