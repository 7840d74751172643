package postgres

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres/postgrestest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// names are what whoever stole a login may have its sessions call themselves.
var names = []string{Application, "", "the application", "psql", Application + " 1", "pg_basebackup"}

// openAs opens a session of c on one server under a name.
func openAs(t *testing.T, at *postgrestest.Cluster, c rotation.Credential, name string) *pgx.Conn {
	t.Helper()
	config, err := pgx.ParseConfig(neutral)
	if err != nil {
		t.Fatal(err)
	}
	config.Host, config.Port, config.Database = "127.0.0.1", uint16(at.Port), "postgres"
	config.User, config.Password = c.ID, string(c.Value.Reveal())
	config.RuntimeParams = map[string]string{"application_name": name}
	conn, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		t.Fatalf("a session called %q: %v", name, err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// thieves hold a session of c under every name on each server.
func thieves(t *testing.T, c rotation.Credential, names []string, servers ...*postgrestest.Cluster) map[string]*pgx.Conn {
	t.Helper()
	all := map[string]*pgx.Conn{}
	for i, at := range servers {
		for _, name := range names {
			all[fmt.Sprintf("%q on server %d", name, i)] = openAs(t, at, c, name)
		}
	}
	return all
}

// Whoever stole a login holds sessions of it under names of their choice, on the primary and on a standby. None of them outlives
// the answer to the leak.
func TestNoNameSavesASessionOfALeakedLogin(t *testing.T) {
	p := newPair(t)
	o := p.operator(p.both())
	o.Timeout = time.Minute
	for _, names := range [][]string{{Application}, names} { // alone, no other session is a reason to end it
		held := thieves(t, o.Store.(*shelf).rec.Current, names, p.Cluster, p.standby)
		result, err := o.Run(context.Background(), rotation.Want{Compromised: true, Again: true})
		if err != nil || result.Outcome != rotation.Finished {
			t.Fatalf("%v, %v; want it finished: %v", result.Outcome, err, o.heard)
		}
		for name, conn := range held {
			var one int
			if err := conn.QueryRow(context.Background(), "SELECT 1").Scan(&one); err == nil {
				t.Errorf("the session called %s goes on", name)
			}
		}
	}
}

// Each of the names is seen by whatever counts sessions: drain waits for it, and a login that has it is not erased.
func TestNoNameHidesASession(t *testing.T) {
	a := newApp(t)
	c := a.next()
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			conn := openAs(t, a.Cluster, c, name)
			if got := a.uses(a.server, c); len(got) != 1 || got[0].App != name {
				t.Errorf("its sessions are %+v, want the one called %q", got, name)
			}
			err := a.server.Erase(context.Background(), pass, c)
			if err == nil || !strings.Contains(err.Error(), "1 sessions of it are open") {
				t.Errorf("%v, want that a session is open", err)
			}
			_ = conn.Close(context.Background())
			a.unused(c)
		})
	}
}

// unused returns once c has no session left.
func (a *app) unused(c rotation.Credential) {
	a.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		if len(a.uses(a.server, c)) == 0 {
			return
		}
	}
	a.t.Fatalf("%s still has sessions", c.ID)
}

// A session that came up while the login was being refused, and was not seen then, is ended before the login is erased.
func TestSessionSeenAfterTheRevokeIsEnded(t *testing.T) {
	a := newApp(t)
	c := a.next()
	conn := a.opened(c)
	a.sql("postgres", fmt.Sprintf("ALTER ROLE %s NOLOGIN", ident(c.ID)))
	a.must("erase", a.server.Erase(context.Background(), pass, c))
	if _, err := conn.Exec(context.Background(), "SELECT 1"); err == nil {
		t.Error("the session goes on")
	}
	a.stands(a.server, c, rotation.Absent, "no such role")
}
