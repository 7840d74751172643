package rotationtest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Single is the contract of a rotation.Single, as Server is that of others.
func Single(t *testing.T, open func(t *testing.T) ServerFixture) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *serverTest)
	}{
		{"it says what is lost", testGap},
		{"generating has no effect and keeps the login", testGenerateSame},
		{"installing lets one in and keeps the other out", testReplace},
		{"installing the other brings it back", testPutBack},
		{"an effect does not pass its fence", testSingleFence},
		{"what was left can be revoked and erased, and nothing changes", testLeave},
		{"what is in use can be neither revoked nor erased", testKeep},
		{"a plan shows no value", testPlan},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &serverTest{ServerFixture: open(t), t: t}
			c.test(t, s)
		})
	}
}

func testGap(t *testing.T, s *serverTest) {
	if s.Server.(rotation.Single).Gap() == "" {
		t.Error("it does not say what is lost")
	}
}

func testGenerateSame(t *testing.T, s *serverTest) {
	a, b := s.next(), s.next()
	if a.Value.Equal(b.Value) || a.ID != s.Current.ID || len(a.Value.Reveal()) < 43 {
		t.Errorf("generated %s and %s: want the same name and a random value of 43 characters or more", a.ID, b.ID)
	}
	s.stands(a, rotation.Absent)
	s.refused(a)
	s.stands(s.Current, rotation.Accepts)
}

func testReplace(t *testing.T, s *serverTest) {
	c := s.installed()
	s.must("install again", s.Server.Install(context.Background(), pass, c))
	s.stands(c, rotation.Accepts)
	s.stands(s.Current, rotation.Absent)
	s.opens(c)()
	s.refused(s.Current)
	use, err := s.Server.InUse(context.Background(), s.Current)
	s.must("in use", err)
	if use.Known {
		t.Error("it claims to know which version a session was opened with")
	}
}

func testPutBack(_ *testing.T, s *serverTest) {
	c := s.installed()
	s.must("install the first", s.Server.Install(context.Background(), pass, s.Current))
	s.stands(c, rotation.Absent)
	s.stands(s.Current, rotation.Accepts)
	s.opens(s.Current)()
	s.refused(c)
}

func testSingleFence(t *testing.T, s *serverTest) {
	stop := errors.New("somebody has decided otherwise")
	closed := func(context.Context) error { return stop }
	ctx := context.Background()
	c := s.next()
	if err := s.Server.Install(ctx, closed, c); !errors.Is(err, stop) {
		t.Errorf("install: %v, want the fence's error", err)
	}
	s.stands(s.Current, rotation.Accepts)
	s.must("install", s.Server.Install(ctx, pass, c))
	for name, effect := range map[string]func(context.Context, rotation.Fence, rotation.Credential) error{
		"revoke": s.Server.Revoke, "erase": s.Server.Erase,
	} {
		if err := effect(ctx, closed, s.Current); !errors.Is(err, stop) {
			t.Errorf("%s: %v, want the fence's error", name, err)
		}
	}
}

func testLeave(_ *testing.T, s *serverTest) {
	ctx := context.Background()
	c := s.installed()
	kept := s.opens(c)
	defer kept()
	for range 2 {
		s.must("revoke", s.Server.Revoke(ctx, pass, s.Current))
		s.must("erase", s.Server.Erase(ctx, pass, s.Current))
	}
	s.stands(c, rotation.Accepts)
	s.opens(c)()
	s.refused(s.Current)
}

func testKeep(t *testing.T, s *serverTest) {
	ctx := context.Background()
	for name, effect := range map[string]func(context.Context, rotation.Fence, rotation.Credential) error{
		"revoke": s.Server.Revoke, "erase": s.Server.Erase,
	} {
		if err := effect(ctx, pass, s.Current); !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), s.Current.ID) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	s.stands(s.Current, rotation.Accepts)
	s.opens(s.Current)()
}
