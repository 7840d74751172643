package rotation

// ServerOutline is the list of a rotation at a [Server], with every step that such a list may have
// and no system behind it. It is for names, their order, sections and [PhaseOf]. Its steps cannot
// be checked or applied.
func ServerOutline(i Intent) []Step {
	type any struct{ Server }
	return outline(any{}, i)
}

// VerifierOutline is the same for systems that read the Secret themselves.
func VerifierOutline(i Intent) []Step {
	type any struct{ System }
	return outline(any{}, i)
}

func outline(s System, i Intent) []Step {
	type canary struct{ Canary }
	return Overlap(Setup{
		Parts: Parts{System: s}, Policy: Policy{TryFirst: true},
		Environment: Environment{Canary: canary{}, Gates: []Gate{{}}, Aftermath: noSessions{}},
	}, i)
}

type noSessions struct{ Aftermath }

func (noSessions) Warning() string { return "" }
