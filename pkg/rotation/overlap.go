package rotation

// kind makes the list of one kind of system: a [Server], which is told what to accept, or
// verifiers, which read the Secret themselves.
type kind interface {
	list() []Step
	cutWarning() string
}

// Overlap is the checklist of a rotation in which the old version and the new one are valid side by
// side until nobody uses the old one. For an abort it is the same list: the intent swaps target and
// others, and nothing else. For a compromised value it is a shorter one: what waits for users of
// the old version is left out.
//
// The order is the proof that no consumer ever holds what its server refuses: a version is accepted
// before it is active, everywhere before the others are looked at, and idle before it is refused.
func Overlap(s Setup, i Intent) []Step {
	o := assemble(s, i)
	var k kind = &verifiers{overlap: o}
	if server, told := s.System.(Server); told {
		k = &acceptor{o, server}
	}
	if o.pods.cut != nil {
		o.decision.warning = k.cutWarning()
	}
	if s.Aftermath != nil {
		o.decision.warning += s.Aftermath.Warning()
	}
	return k.list()
}
