package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func (a *app) uses(s *Server, c rotation.Credential) []rotation.Session {
	a.t.Helper()
	use, err := s.InUse(context.Background(), c)
	a.must("in use", err)
	if !use.Known {
		a.t.Fatalf("it is not known who uses %s", c.ID)
	}
	return use.Sessions
}

// Whatever role a session has been set to, it counts for the login that opened it.
func TestSessionsCountForTheLoginThatOpenedThem(t *testing.T) {
	a := newApp(t)
	c := a.next()
	began := time.Now().Add(-time.Minute)
	conn := a.opened(c)
	a.as(conn, "SET ROLE NONE")
	a.as(a.opened(c), "SELECT current_user")
	got := a.uses(a.server, c)
	if len(got) != 2 || len(a.uses(a.server, a.current)) != 0 {
		t.Fatalf("%s has %d sessions, want 2, and %s none", c.ID, len(got), a.owner)
	}
	s := got[0]
	if s.Node != "pg-0" || s.Address != "127.0.0.1" || s.App != "the application" || s.ID == "" || s.Since.Before(began) {
		t.Errorf("the session is %+v", s)
	}
}

// pg_stat_activity shows everybody who is connected as whom, but not whence.
func TestLimitedAdminSeesSessionsButNotTheirAddresses(t *testing.T) {
	a := newApp(t)
	limited := a.via(viaScram)
	limited.Admin = a.limitedAdmin("")
	if got := a.uses(limited, a.current); len(got) != 0 {
		t.Fatalf("%d sessions, want none", len(got))
	}
	a.opened(a.current)
	got := a.uses(limited, a.current)
	if len(got) != 1 || !strings.Contains(got[0].Address, "not shown to "+limited.Admin.User) || got[0].App != "the application" {
		t.Errorf("the sessions are %+v", got)
	}
}

func TestTryingALoginIsNotAUseOfIt(t *testing.T) {
	a := newApp(t)
	for range 20 {
		a.stands(a.server, a.current, rotation.Accepts, "login")
		if got := a.uses(a.server, a.current); len(got) != 0 {
			t.Fatalf("the sessions are %+v", got)
		}
	}
}

func TestRevokeWithoutTheRightToEndSessionsNamesTheGrant(t *testing.T) {
	a := newApp(t)
	a.server.Admin = a.limitedAdmin("", a.owner)
	a.opened(a.current)
	err := a.server.Revoke(context.Background(), pass, a.current)
	if err == nil || !strings.Contains(rotation.Hint(err), "GRANT pg_signal_backend TO") {
		t.Errorf("%v (%s), want the missing grant as its hint", err, rotation.Hint(err))
	}
}

func TestEndingSessionsIsFencedOnItsOwn(t *testing.T) {
	a := newApp(t)
	conn := a.opened(a.current)
	stop := errors.New("somebody has decided otherwise")
	fences := 0
	err := a.server.Revoke(context.Background(), func(context.Context) error {
		if fences++; fences == 2 {
			return stop
		}
		return nil
	}, a.current)
	if !errors.Is(err, stop) {
		t.Errorf("%v after %d fences, want the second to stop it", err, fences)
	}
	a.as(conn, "SELECT 1")
}

func TestSessionsOfALoginThatIsBackAreLeftAlone(t *testing.T) {
	a := newApp(t)
	conn := a.opened(a.current)
	fences := 0
	err := a.server.Revoke(context.Background(), func(context.Context) error {
		if fences++; fences == 2 {
			a.sql("postgres", fmt.Sprintf("ALTER ROLE %s LOGIN", ident(a.owner)))
		}
		return nil
	}, a.current)
	if !errors.Is(err, rotation.ErrUnavailable) || !strings.Contains(err.Error(), "let it in again") {
		t.Errorf("%v, want to hear that it may log in again", err)
	}
	a.as(conn, "SELECT 1")
}
