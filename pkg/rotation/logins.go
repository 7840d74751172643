package rotation

import "slices"

// logins says how the versions at a Server relate to each other.
type logins struct {
	gap    string // what consumers lose between install and the end of the rollout; "" where versions overlap
	oneID  bool   // all versions have one ID: then only a value tells them apart, and no session does
	untold string // why it is not known who uses the other versions
	left   string // what may still be there of a version that is gone; "" where nothing is
}

func loginsOf(s System) logins {
	l := logins{untold: "the system cannot tell who uses the old version"}
	if single, ok := s.(Single); ok {
		l.gap = single.Gap()
		l.oneID = l.gap != ""
	}
	if shared, ok := s.(Shared); ok {
		l.oneID, l.untold, l.left = true, shared.Untold(), shared.Left()
	}
	return l
}

// shares says whether c has the very name of the target, as a password that somebody has changed by
// hand leaves it: the server has forgotten c's value, and what took the name away would take the
// target away. Where all versions have one name, the server tells them apart itself.
func (l logins) shares(rec Record, c Credential) bool {
	t, ok := rec.Target()
	return ok && t.ID == c.ID && !l.oneID
}

// apart are the versions to be left behind that do not share the target's name.
func (l logins) apart(rec Record) []Credential {
	return slices.DeleteFunc(rec.Others(), func(c Credential) bool { return l.shares(rec, c) })
}

// bare is c as it is looked at to see whether it is refused: by its name alone, whatever password
// it comes in with. Trying its value would open sessions of the very credential that nobody is to
// use. Only where all versions have one name, the value tells them apart.
func (l logins) bare(c Credential) Credential {
	if !l.oneID {
		c.Value = Secret{}
	}
	return c
}

// ids names credentials for people: "backend, backend_v2".
func ids(cs []Credential) string {
	if len(cs) == 0 {
		return "any other version"
	}
	text := cs[0].ID
	for _, c := range cs[1:] {
		text += ", " + c.ID
	}
	return text
}
