package rotation

// made is a setup and an intent that a test makes parts of, once it has changed what it is about.
type made struct {
	Setup
	intent Intent
}

func (m *made) overlap() *overlap { return assemble(m.Setup, m.intent) }

func (m *made) verifiers() *verifiers { return &verifiers{overlap: m.overlap()} }

func (m *made) acceptor() *acceptor {
	return &acceptor{m.overlap(), m.System.(Server)} //nolint:errcheck // a test that makes one has a Server
}
