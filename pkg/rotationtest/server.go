package rotationtest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// ServerFixture is a server for one test, with one credential in use.
type ServerFixture struct {
	Server  rotation.Server
	Current rotation.Credential // accepted, with its value
	// Open opens a session as a consumer would, and gives what closes it. An error means that the server refused.
	Open func(t *testing.T, c rotation.Credential) (closeSession func(), err error)
}

// Server is the contract of a rotation.Server. open makes a new fixture for each of its tests.
func Server(t *testing.T, open func(t *testing.T) ServerFixture) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *serverTest)
	}{
		{"generating has no effect", testGenerate},
		{"installing lets both in", testInstall},
		{"a wrong value is not accepted", testWrongValue},
		{"an effect does not pass its fence", testFence},
		{"sessions are seen, and whose they are", testSessions},
		{"a quarantine refuses, ends sessions, and can be lifted", testQuarantine},
		{"what was never there cannot be quarantined", testQuarantineAbsent},
		{"erasing is for good, and can be repeated", testErase},
		{"a plan shows no value", testPlan},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &serverTest{ServerFixture: open(t), t: t}
			c.test(t, s)
		})
	}
}

type serverTest struct {
	ServerFixture
	t *testing.T
}

func pass(context.Context) error { return nil }

func (s *serverTest) must(what string, err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("%s: %v", what, err)
	}
}

func (s *serverTest) next() rotation.Credential {
	s.t.Helper()
	c, err := s.Server.Generate(context.Background(), 2, s.Current)
	s.must("generate", err)
	c.V = 2
	return c
}

func (s *serverTest) installed() rotation.Credential {
	s.t.Helper()
	c := s.next()
	s.must("install", s.Server.Install(context.Background(), pass, c))
	return c
}

// stands wants every place to treat c in one way.
func (s *serverTest) stands(c rotation.Credential, want rotation.Status) {
	s.t.Helper()
	places, err := s.Server.Standing(context.Background(), c)
	s.must("standing", err)
	if len(places) == 0 {
		s.t.Fatalf("%s stands nowhere", c.ID)
	}
	for _, p := range places {
		if p.Status != want {
			s.t.Errorf("%s at %s: %s (%s), want %s", c.ID, p.Where, p.Status, p.Proof, want)
		}
	}
}

// opens wants a consumer to be let in.
func (s *serverTest) opens(c rotation.Credential) func() {
	s.t.Helper()
	end, err := s.Open(s.t, c)
	s.must("opening a session as "+c.ID, err)
	return end
}

// refused wants a consumer to be turned away.
func (s *serverTest) refused(c rotation.Credential) {
	s.t.Helper()
	if end, err := s.Open(s.t, c); err == nil {
		end()
		s.t.Errorf("%s was let in", c.ID)
	}
}

// sessions waits until c has n of them.
func (s *serverTest) sessions(c rotation.Credential, n int) {
	s.t.Helper()
	got := -1
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		use, err := s.Server.InUse(context.Background(), c)
		s.must("in use", err)
		if !use.Known {
			s.t.Fatalf("the server does not know who uses %s", c.ID)
		}
		if got = len(use.Sessions); got == n {
			return
		}
	}
	s.t.Errorf("%s has %d sessions, want %d", c.ID, got, n)
}

func testGenerate(t *testing.T, s *serverTest) {
	a, b := s.next(), s.next()
	if a.Value.Equal(b.Value) || a.ID == s.Current.ID || len(a.Value.Reveal()) < 43 {
		t.Errorf("generated %s and %s: want a new name and a random value of 43 characters or more", a.ID, b.ID)
	}
	s.stands(a, rotation.Absent)
	s.refused(a)
}

func testInstall(_ *testing.T, s *serverTest) {
	c := s.installed()
	s.must("install again", s.Server.Install(context.Background(), pass, c))
	s.stands(c, rotation.Accepts)
	s.stands(s.Current, rotation.Accepts)
	s.opens(c)()
	s.opens(s.Current)()
}

func testWrongValue(t *testing.T, s *serverTest) {
	c := s.installed()
	c.Value = rotation.NewSecret([]byte("not the value of this version at all, not at all"))
	s.refused(c)
	places, err := s.Server.Standing(context.Background(), c)
	s.must("standing", err)
	for _, p := range places {
		if p.Status == rotation.Accepts || p.Status == rotation.Absent {
			t.Errorf("a wrong value at %s: %s (%s)", p.Where, p.Status, p.Proof)
		}
	}
}

func testFence(t *testing.T, s *serverTest) {
	stop := errors.New("somebody has decided otherwise")
	closed := func(context.Context) error { return stop }
	ctx := context.Background()
	c := s.next()
	for _, try := range []struct {
		name   string
		effect func(context.Context, rotation.Fence, rotation.Credential) error
		c      rotation.Credential
	}{{"install", s.Server.Install, c}, {"revoke", s.Server.Revoke, s.Current}, {"erase", s.Server.Erase, s.Current}} {
		if err := try.effect(ctx, closed, try.c); !errors.Is(err, stop) {
			t.Errorf("%s: %v, want the fence's error", try.name, err)
		}
	}
	s.stands(c, rotation.Absent)
	s.stands(s.Current, rotation.Accepts)
}

func testSessions(_ *testing.T, s *serverTest) {
	c := s.installed()
	s.sessions(c, 0)
	end := s.opens(c)
	s.sessions(c, 1)
	s.sessions(s.Current, 0)
	end()
	s.sessions(c, 0)
}

func testQuarantine(_ *testing.T, s *serverTest) {
	ctx := context.Background()
	c := s.installed()
	defer s.opens(s.Current)()
	kept := s.opens(c)
	defer kept()
	s.must("revoke", s.Server.Revoke(ctx, pass, s.Current))
	s.must("revoke again", s.Server.Revoke(ctx, pass, s.Current))
	s.stands(s.Current, rotation.Quarantined)
	s.refused(s.Current)
	s.sessions(s.Current, 0)
	s.sessions(c, 1)
	s.must("lift", s.Server.Install(ctx, pass, s.Current))
	s.stands(s.Current, rotation.Accepts)
	s.opens(s.Current)()
}

func testQuarantineAbsent(_ *testing.T, s *serverTest) {
	c := s.next()
	s.must("revoke", s.Server.Revoke(context.Background(), pass, c))
	s.stands(c, rotation.Absent)
}

func testErase(_ *testing.T, s *serverTest) {
	ctx := context.Background()
	c := s.installed()
	for _, gone := range []rotation.Credential{c, s.Current} {
		s.must("revoke", s.Server.Revoke(ctx, pass, gone))
		s.must("erase", s.Server.Erase(ctx, pass, gone))
		s.must("erase again", s.Server.Erase(ctx, pass, gone))
		s.stands(gone, rotation.Absent)
		gone.Value = rotation.Secret{}
		s.stands(gone, rotation.Absent)
		if gone.V == 2 {
			s.must("install again", s.Server.Install(ctx, pass, c))
		}
	}
	s.stands(c, rotation.Accepts)
}

func testPlan(t *testing.T, s *serverTest) {
	c := s.next()
	for _, e := range []rotation.Effect{rotation.EffectInstall, rotation.EffectRevoke, rotation.EffectErase} {
		lines, err := s.Server.Plan(context.Background(), e, c)
		s.must("plan", err)
		text := strings.Join(lines, "\n")
		if !strings.Contains(text, c.ID) || strings.Contains(text, string(c.Value.Reveal())) {
			t.Errorf("the plan of %s does not name %s, or shows its value:\n%s", e, c.ID, text)
		}
	}
}
