package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres/postgrestest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// crowd takes connections as somebody else, until the server has none left, and gives what ends them.
func (a *app) crowd() (leave func()) {
	a.t.Helper()
	others := rotation.Credential{ID: "others", Value: rotation.NewSecret([]byte("of others"))}
	var all []*pgx.Conn
	for {
		conn, err := a.open(others)
		if err != nil {
			if !strings.Contains(err.Error(), codeTooMany) || len(all) == 0 {
				a.t.Fatalf("%d connections, then: %v", len(all), err)
			}
			break
		}
		all = append(all, conn)
	}
	return func() {
		for _, conn := range all {
			_ = conn.Close(context.Background())
		}
	}
}

// newCrowded is a server of its own, which a test may fill.
func newCrowded(t *testing.T) *app {
	t.Helper()
	a := &app{Cluster: postgrestest.For(t, postgrestest.Config{}), t: t, owner: "backend", database: "postgres"}
	a.current = rotation.Credential{V: 1, ID: "backend", Value: rotation.NewSecret([]byte("first password"))}
	a.sql("postgres", "CREATE ROLE backend LOGIN PASSWORD 'first password'", "CREATE SCHEMA AUTHORIZATION backend",
		"CREATE ROLE others LOGIN PASSWORD 'of others'")
	a.server = a.via(viaScram)
	return a
}

// A server without a free connection is refused before anything begins, with what to do; who may not take a reserved connection
// is told so. Filled in mid-run it is waited for: nothing is half made, and the same run comes to its end.
func TestServerWithoutAFreeConnection(t *testing.T) {
	a := newCrowded(t)
	ctx := context.Background()
	limited := a.limitedAdmin("GRANT pg_signal_backend, pg_read_all_stats TO %s", a.owner)
	leave := a.crowd()
	a.refusedFor(a.server, a.current, "the server has 0 connections left of 57: while 0 of backend are doubled, 2 are needed",
		"raise the limit, or have the application use fewer connections")
	poor := a.via(viaScram)
	poor.Admin = limited
	_, err := poor.Preflight(ctx, a.current)
	if !errors.Is(err, rotation.ErrUnavailable) || !strings.Contains(rotation.Hint(err), "free a connection, or use an admin that may take a reserved one") {
		t.Errorf("%v (%s), want that there is no connection", err, rotation.Hint(err))
	}
	leave()

	o := (&pair{app: a}).operator(poor)
	o.Timeout = time.Minute
	hear, full := o.Emit, false
	o.Emit = func(e rotation.Event) {
		hear(e)
		switch {
		case e.Step == rotation.StepStage && e.State == rotation.Done && !full:
			full = true
			a.must("hang up", poor.Close()) // else the run keeps the connection that it has
			leave = a.crowd()
		case e.State == rotation.Retrying:
			if !strings.Contains(e.Note, "too many") && !strings.Contains(e.Note, "remaining connection slots") {
				t.Errorf("retrying because of: %s", e.Note)
			}
			if a.exists("backend_v2") {
				t.Error("the new login is there: the test would prove nothing")
			}
			leave()
		}
	}
	o.until(t, "", rotation.Finished)
	if len(o.said(rotation.StepInstall, rotation.Retrying)) == 0 {
		t.Errorf("that there was no connection was not said: %v", o.heard)
	}
	a.stands(a.server, o.Store.(*shelf).rec.Current, rotation.Accepts, "login as backend_v2")
}

// A login at its own limit keeps nobody from rotating it: the new one has as many of its own, and one that is used up by the
// application is judged by what is stored.
func TestLoginAtItsOwnConnectionLimit(t *testing.T) {
	a := newApp(t)
	a.sql("postgres", fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT 2", ident(a.owner)))
	reached := func(c rotation.Credential) {
		t.Helper()
		for range 2 {
			a.opened(c)
		}
		if _, err := a.open(c); err == nil || !strings.Contains(err.Error(), codeTooMany) {
			t.Fatalf("%v: %s has not reached its limit", err, c.ID)
		}
	}
	reached(a.current)
	a.preflight(a.server, a.current)
	a.stands(a.server, a.current, rotation.Accepts, "stored verifier fits; no connection is free for a login")
	c := a.next()
	a.stands(a.server, c, rotation.Accepts, "login as "+c.ID)
	reached(c)
	a.stands(a.server, c, rotation.Accepts, "login as "+c.ID) // just now
	a.stands(a.via(viaScram), c, rotation.Accepts, "stored verifier fits; no connection is free for a login")
}
