package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotationtest"
)

// single is a's server with the strategy same-user.
func (a *app) single() SingleLogin { return SingleLogin{a.server} }

// On the installed server as its superuser, on later ones without.
func TestSingleLoginContract(t *testing.T) {
	onVersions(t, later, func(t *testing.T, version string) {
		rotationtest.Single(t, func(t *testing.T) rotationtest.ServerFixture {
			a := appOn(t, version)
			if version != "" {
				a.limited()
			}
			fixture := a.contract()
			fixture.Server = a.single()
			return fixture
		})
	})
}

// The role is what it was, but for its password: whatever is done to the version that was left.
func TestSingleLoginLeavesTheRoleAlone(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	s := a.single()
	a.sql("postgres", fmt.Sprintf("ALTER ROLE %s SET work_mem TO '6MB'; COMMENT ON ROLE %[1]s IS 'see the wiki'", ident(a.owner)))
	const role = `SELECT concat_ws(' ', oid, rolcanlogin, rolconnlimit, rolvaliduntil, shobj_description(oid, 'pg_authid'),
		(SELECT string_agg(setconfig::text, ',') FROM pg_db_role_setting WHERE setrole = r.oid)) FROM pg_roles r WHERE rolname = $1`
	before := a.Value(t, "postgres", role, a.owner)
	c, err := s.Generate(ctx, 2, a.current)
	a.must("generate", err)
	kept := a.opened(a.current)
	a.must("install", s.Install(ctx, pass, c))
	a.must("revoke", s.Revoke(ctx, pass, a.current))
	a.must("erase", s.Erase(ctx, pass, a.current))
	if after := a.Value(t, "postgres", role, a.owner); after != before {
		t.Errorf("the role is now\n%s, it was\n%s", after, before)
	}
	a.as(kept, "SELECT 1")
}

// What the catalogue tells is not tried: a login with the old password would stand in the server's log as an attack.
func TestSingleLoginDoesNotTryTheOldPassword(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	s := a.single()
	c, err := s.Generate(ctx, 2, a.current)
	a.must("generate", err)
	a.must("install", s.Install(ctx, pass, c))
	places, err := s.Standing(ctx, a.current)
	a.must("standing", err)
	if len(places) != 1 || places[0].Status != rotation.Absent || !strings.Contains(places[0].Proof, "another password is stored") {
		t.Errorf("the old password stands as %+v", places)
	}
	if said := "password authentication failed for user \"" + a.owner; strings.Contains(a.log(), said) {
		t.Error("the old password was tried")
	}
}

func TestPreflightOfASingleLogin(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	s := a.single()
	a.sql("postgres", fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT 4 VALID UNTIL '2099-01-01'", ident(a.owner)))
	notes, err := s.Preflight(ctx, a.current)
	a.must("preflight", err)
	if text := strings.Join(notes, "\n"); !strings.Contains(text, "has an end (VALID UNTIL), which the next one keeps") {
		t.Errorf("the notes are %q", text)
	}
	a.opened(a.current)
	a.opened(a.current)
	_, err = s.Preflight(ctx, a.current)
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "may have 4 connections and has 2: they are doubled") {
		t.Errorf("%v, want a refusal for the connection limit", err)
	}
	a.sql("postgres", fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT -1", ident(a.owner)))
	s = SingleLogin{a.via(viaScram)}
	s.Admin = a.limitedAdmin("ALTER ROLE %s NOCREATEROLE")
	if _, err = s.Preflight(ctx, a.current); !errors.Is(err, rotation.ErrRefused) || !strings.Contains(rotation.Hint(err), "CREATEROLE") {
		t.Errorf("%v (%s), want a refusal that names the right that is missing", err, rotation.Hint(err))
	}
}

// Whoever stole the password changes it again and again from sessions that are open, under any name. They end with the change, and those
// that got in all the same end with the value.
func TestLeakedPasswordOfASingleLoginLeavesNoSession(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	s := a.single()
	s.Leaked = a.current.ID
	held := thieves(t, a.current, names, a.Cluster)
	c, err := s.Generate(ctx, 2, a.current)
	a.must("generate", err)
	a.must("install", s.Install(ctx, pass, c))
	for name, conn := range held {
		if _, err := conn.Exec(ctx, fmt.Sprintf("ALTER ROLE %s PASSWORD 'mine'", ident(a.owner))); err == nil {
			t.Errorf("the session called %s goes on", name)
		}
	}
	a.stands(s.Server, c, rotation.Accepts, "login as "+c.ID)
	held = thieves(t, c, names, a.Cluster)
	a.must("revoke", s.Revoke(ctx, pass, a.current))
	a.must("erase", s.Erase(ctx, pass, a.current))
	for name, conn := range held {
		if _, err := conn.Exec(ctx, "SELECT 1"); err == nil {
			t.Errorf("the session called %s goes on", name)
		}
	}
	a.opened(c)
}
