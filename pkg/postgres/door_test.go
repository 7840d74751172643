package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres/postgrestest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// shadow looks every login up at the server, as the documentation of PgBouncer has it.
const shadow = "SELECT usename, passwd FROM pg_shadow WHERE usename=$1"

// behind puts a PgBouncer in front of the application's server, and names it a door.
func (a *app) behind(settings map[string]string, known ...postgrestest.Account) *postgrestest.Pooler {
	a.t.Helper()
	p := a.PoolerFor(a.t, settings, append([]postgrestest.Account{{Name: a.current.ID}}, known...)...)
	a.server.Doors = []Door{{
		Node:     Node{Name: "pgbouncer", Host: "127.0.0.1", Port: uint16(p.Port)},
		Database: a.database,
		Pods: func(context.Context) (map[string]string, error) {
			return map[string]string{"127.0.0.1": "pgbouncer-0"}, nil
		},
	}}
	return p
}

// atDoor is how the door treats c.
func (a *app) atDoor(c rotation.Credential) rotation.Standing {
	a.t.Helper()
	places, err := a.server.Standing(context.Background(), c)
	a.must("standing", err)
	for _, p := range places {
		if strings.HasPrefix(p.Where, "pgbouncer/") {
			return p
		}
	}
	return rotation.Standing{}
}

// A pooler with a list of users turns the new login away, until somebody adds it.
func TestPoolerWithAListOfUsers(t *testing.T) {
	a := newApp(t)
	p := a.behind(nil)
	c := a.next()
	place := a.atDoor(c)
	if place.Status != rotation.Refused || !strings.Contains(place.Proof, "auth_file") || !strings.Contains(place.Proof, c.ID) {
		t.Fatalf("%+v, want a refusal with advice", place)
	}
	a.stands(a.server, a.current, rotation.Accepts, "login as")
	p.Know(t, postgrestest.Account{Name: a.current.ID}, postgrestest.Account{Name: c.ID})
	for end := time.Now().Add(10 * time.Second); a.atDoor(c).Status != rotation.Accepts; {
		if time.Now().After(end) {
			t.Fatalf("%+v after it was added", a.atDoor(c))
		}
	}
}

// How the new login is treated at poolers that find logins in other ways.
func TestPoolers(t *testing.T) {
	for _, c := range []struct {
		name     string
		settings map[string]string
		want     rotation.Status
		phrase   string
	}{
		{"every login is looked up", map[string]string{"auth_query": shadow}, rotation.Accepts, "login as"},
		{"one login is looked up", map[string]string{"auth_query": shadow + " AND usename NOT LIKE '%v2'"}, rotation.Refused, "no such user"},
		{"passwords by MD5", map[string]string{"auth_query": shadow, "auth_type": "md5"}, rotation.Accepts, "login as"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newApp(t)
			c.settings["auth_user"] = postgrestest.User
			a.behind(c.settings, postgrestest.Account{Name: postgrestest.User, Password: a.Password})
			if place := a.atDoor(a.next()); place.Status != c.want || !strings.Contains(place.Proof, c.phrase) {
				t.Errorf("%+v, want %s (…%s…)", place, c.want, c.phrase)
			}
		})
	}
}

// A pooler that lets a wrong password in proves nothing by letting the right one in.
func TestPoolerThatChecksNoPassword(t *testing.T) {
	a := newApp(t)
	p := a.behind(map[string]string{"auth_type": "trust"})
	p.Know(t, postgrestest.Account{Name: a.owner, Password: string(a.current.Value.Reveal())})
	for end := time.Now().Add(10 * time.Second); a.atDoor(a.current).Status == rotation.Refused && time.Now().Before(end); {
	}
	if v := a.atDoor(a.current); v.Status != rotation.Unproven || !strings.Contains(v.Proof, "wrong password") {
		t.Errorf("%+v, want it unproven", v)
	}
}

// What a pooler keeps of a login is named as the pooler's, and revoke ends it; a refused login is not tried there.
func TestPooledSessions(t *testing.T) {
	a := newApp(t)
	a.behind(nil)
	if v := a.atDoor(a.current); v.Status != rotation.Accepts {
		t.Fatalf("%+v", v)
	}
	use, err := a.server.InUse(context.Background(), a.current)
	a.must("in use", err)
	if len(use.Sessions) != 1 || use.Sessions[0].Pooler != "pgbouncer-0" {
		t.Fatalf("sessions %+v, want one of the pooler's", use.Sessions)
	}
	a.must("revoke", a.server.Revoke(context.Background(), pass, a.current))
	a.stands(a.server, a.current, rotation.Quarantined, "NOLOGIN")
	if use, err = a.server.InUse(context.Background(), a.current); err != nil || len(use.Sessions) != 0 {
		t.Errorf("left after revoke: %+v, %v", use, err)
	}
	if v := a.atDoor(a.current); v.Where != "" {
		t.Errorf("a login that the server refuses was tried at the door: %+v", v)
	}
}

// Nothing listens: that is no answer, and passes for none.
func TestDoorThatIsNotThere(t *testing.T) {
	a := newApp(t)
	a.behind(nil)
	a.server.Doors[0].Port = 1
	if v := a.atDoor(a.current); v.Status != rotation.Unknown {
		t.Errorf("%+v", v)
	}
}

// A door that turns the login in use away says nothing about the next one: refused before anything begins.
func TestDoorThatRefusesTheLoginInUse(t *testing.T) {
	a := newApp(t)
	p := a.behind(nil)
	if _, err := a.server.Preflight(context.Background(), a.current); err != nil {
		t.Fatal(err)
	}
	p.Know(t)
	var err error
	for end := time.Now().Add(10 * time.Second); err == nil; _, err = a.server.Preflight(context.Background(), a.current) {
		if time.Now().After(end) {
			t.Fatal("still let in")
		}
	}
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(rotation.Hint(err), "postgres.through") {
		t.Errorf("%v (%s)", err, rotation.Hint(err))
	}
}
