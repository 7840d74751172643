package rotationtest

import (
	"context"
	"errors"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Shared is the contract of a rotation.Shared, as Server is that of others.
func Shared(t *testing.T, open func(t *testing.T) ServerFixture) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *serverTest)
	}{
		{"it says what cannot be told", testUntold},
		{"generating has no effect and keeps the login", testGenerateSame},
		{"installing lets both in", testInstall},
		{"an effect does not pass its fence", testFence},
		{"a version can be taken away and brought back", testTake},
		{"erasing a version leaves the other", testEraseOne},
		{"the only version stays", testKeepOnly},
		{"a plan shows no value", testPlan},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &serverTest{ServerFixture: open(t), t: t}
			c.test(t, s)
		})
	}
}

func testUntold(t *testing.T, s *serverTest) {
	use, err := s.Server.InUse(context.Background(), s.Current)
	s.must("in use", err)
	if use.Known || s.Server.(rotation.Shared).Untold() == "" {
		t.Error("it claims to know which version a session was opened with, or does not say that it cannot be told")
	}
}

func testTake(_ *testing.T, s *serverTest) {
	ctx := context.Background()
	c := s.installed()
	for range 2 {
		s.must("revoke", s.Server.Revoke(ctx, pass, s.Current))
	}
	s.stands(s.Current, rotation.Absent)
	s.refused(s.Current)
	s.stands(c, rotation.Accepts)
	s.opens(c)()
	s.must("bring back", s.Server.Install(ctx, pass, s.Current))
	s.stands(s.Current, rotation.Accepts)
	s.stands(c, rotation.Accepts)
	s.opens(s.Current)()
}

func testEraseOne(_ *testing.T, s *serverTest) {
	ctx := context.Background()
	c := s.installed()
	for range 2 {
		s.must("erase", s.Server.Erase(ctx, pass, s.Current))
	}
	s.stands(s.Current, rotation.Absent)
	s.refused(s.Current)
	s.opens(c)()
}

func testKeepOnly(t *testing.T, s *serverTest) {
	if err := s.Server.Revoke(context.Background(), pass, s.Current); !errors.Is(err, rotation.ErrRefused) {
		t.Errorf("revoke: %v, want a refusal", err)
	}
	s.stands(s.Current, rotation.Accepts)
	s.opens(s.Current)()
}
