package rotation

// ServerOutline is the list of a rotation at a [Server] with nothing behind it, and all steps that such a list may have. It is
// good for names, their order, sections, and [PhaseOf]: nothing else of its steps may be called.
func ServerOutline(i Intent) []Step {
	type any struct{ Server }
	return outline(any{}, i)
}

// VerifierOutline is that of a rotation of what pods verify with.
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
