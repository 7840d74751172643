package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// exists says whether there is a role.
func (a *app) exists(name string) bool {
	a.t.Helper()
	return a.Value(a.t, "postgres", "SELECT count(*)::text FROM pg_roles WHERE rolname = $1", name) == "1"
}

// DROP ROLE succeeds under a live session, and breaks it.
func TestDropUnderALiveSessionIsRefused(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	c := a.next()
	conn := a.opened(c)
	err := a.server.Erase(ctx, pass, c)
	if !errors.Is(err, rotation.ErrNotYet) || !strings.Contains(err.Error(), "the application") {
		t.Errorf("%v, want ErrNotYet that names the session", err)
	}
	a.as(conn, "SELECT 1")
	a.stands(a.server, c, rotation.Accepts, "login")
	a.must("revoke", a.server.Revoke(ctx, pass, c))
	if _, err := conn.Exec(ctx, "SELECT 1"); err == nil {
		t.Error("the session outlived its login's revocation")
	}
	a.must("erase", a.server.Erase(ctx, pass, c))
	if a.exists(c.ID) {
		t.Error("the role is still there")
	}
}

// A prepared transaction outlives its sessions, and after a drop nobody could end it.
func TestDropWithAPreparedTransactionIsRefused(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	c := a.next()
	conn := a.opened(c)
	a.as(conn, "RESET ROLE", "SET ROLE NONE", "BEGIN", "SELECT txid_current()", "PREPARE TRANSACTION 'half way'")
	a.must("revoke", a.server.Revoke(ctx, pass, c))
	err := a.server.Erase(ctx, pass, c)
	want := fmt.Sprintf("transactions that it has prepared are waiting: 'half way' in %s", ident(a.database))
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), want) || !a.exists(c.ID) {
		t.Errorf("%v, want a refusal that names the transaction and its database", err)
	}
	if hint := rotation.Hint(err); hint != "end each with COMMIT PREPARED or ROLLBACK PREPARED in its database" {
		t.Errorf("what to do: %s", hint)
	}
	if notes := a.preflight(a.server, a.current); strings.Contains(notes, "half way") {
		t.Errorf("a transaction of another login is noted: %s", notes)
	}
	a.sql(a.database, "ROLLBACK PREPARED 'half way'")
	a.must("erase", a.server.Erase(ctx, pass, c))
}

// A whole rotation away from a login that has prepared a transaction: what it will come to is noted beforehand; it ends at retire
// with the login refused and on record, and goes on to its end once the transaction is over.
func TestPreparedTransactionHoldsARotationUp(t *testing.T) {
	a := newApp(t)
	o := (&pair{app: a}).operator(a.server)
	o.until(t, "", rotation.Finished)
	second := o.Store.(*shelf).rec.Current
	conn := a.opened(second)
	gid := second.ID + " half way"
	a.as(conn, "SET ROLE NONE", "BEGIN", "SELECT txid_current()", "PREPARE TRANSACTION "+literal(gid))
	a.must("closing", conn.Close(context.Background()))
	waiting := fmt.Sprintf("transactions that it has prepared are waiting: %s in %s", literal(gid), ident(a.database))
	if notes := a.preflight(a.server, second); !strings.Contains(notes, second.ID+" can be retired only after a change by hand: "+waiting) {
		t.Errorf("the notes do not say it:\n%s", notes)
	}
	_, err := o.Run(context.Background(), rotation.Want{Again: true})
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "retire: erasing "+second.ID+": "+waiting) {
		t.Errorf("%v, want a refusal that names the transaction", err)
	}
	if _, saved := o.Store.(*shelf).rec.Live[2]; !saved {
		t.Error("its value was forgotten")
	}
	a.stands(a.server, second, rotation.Quarantined, "NOLOGIN")
	a.sql(a.database, "ROLLBACK PREPARED "+literal(gid))
	o.until(t, "", rotation.Finished)
	a.stands(a.server, second, rotation.Absent, "no such role")
}

// A client that did RESET ROLE may own something, in any database.
func TestDropOfALoginThatOwnsSomethingIsRefused(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	c := a.next()
	login := ident(c.ID)
	a.sql("postgres", fmt.Sprintf("CREATE SCHEMA astray AUTHORIZATION %s", login))
	a.sql(a.database, fmt.Sprintf("CREATE TABLE secret_plans (); GRANT SELECT ON secret_plans TO %s", login))
	t.Cleanup(func() { a.sql(a.database, "DROP TABLE secret_plans") })
	a.must("revoke", a.server.Revoke(ctx, pass, c))
	err := a.server.Erase(ctx, pass, c)
	want := []string{
		fmt.Sprintf("grants on 1 in pg_class in database %s", ident(a.database)), `owner of 1 in pg_namespace in database "postgres"`,
	}
	for _, w := range want {
		if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), w) {
			t.Errorf("%v, want a refusal with %q", err, w)
		}
	}
	if hint := rotation.Hint(err); !strings.Contains(hint, fmt.Sprintf("REASSIGN OWNED BY %s TO %s", login, ident(a.owner))) || strings.Contains(hint, "DROP OWNED") {
		t.Errorf("the hint is %q", hint)
	}
	a.sql("postgres", "DROP SCHEMA astray")
	a.sql(a.database, "REVOKE ALL ON secret_plans FROM "+login)
	a.must("erase", a.server.Erase(ctx, pass, c))
}

func TestDropOfALoginWithMembersIsRefused(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	c := a.next()
	reports := a.owner + " reports"
	a.sql("postgres", "CREATE ROLE "+ident(reports), fmt.Sprintf("GRANT %s TO %s", ident(c.ID), ident(reports)))
	a.must("revoke", a.server.Revoke(ctx, pass, c))
	if err := a.server.Erase(ctx, pass, c); !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), reports) {
		t.Errorf("%v, want a refusal that names %s", err, reports)
	}
}

func TestTheAdminItselfAndSuperusersAreNeverTouched(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	super := rotation.Credential{V: 1, ID: a.owner + " super", Value: rotation.NewSecret([]byte("x"))}
	a.sql("postgres", fmt.Sprintf("CREATE ROLE %s SUPERUSER LOGIN", ident(super.ID)))
	t.Cleanup(func() { a.sql("postgres", "DROP ROLE "+ident(super.ID)) })
	admin := rotation.Credential{V: 1, ID: a.server.Admin.User, Value: a.server.Admin.Password}
	for _, c := range []rotation.Credential{super, admin} {
		for name, effect := range map[string]func(context.Context, rotation.Fence, rotation.Credential) error{
			"install": a.server.Install, "revoke": a.server.Revoke, "erase": a.server.Erase,
		} {
			if err := effect(ctx, pass, c); !errors.Is(err, rotation.ErrRefused) {
				t.Errorf("%s of %s: %v, want a refusal", name, c.ID, err)
			}
		}
	}
}

// Between the look for sessions and the drop nobody may come in: LOGIN goes first, and for everybody to see.
func TestLoginGoesBeforeTheRole(t *testing.T) {
	a := newApp(t)
	c := a.next()
	fences := 0
	a.must("erase", a.server.Erase(context.Background(), func(context.Context) error {
		if fences++; fences == 2 {
			if _, err := a.open(c); err == nil {
				t.Error("a session was let in just before the drop")
			}
		}
		return nil
	}, c))
	if fences != 2 || a.exists(c.ID) {
		t.Errorf("%d fences, want 2, and the role gone", fences)
	}
}
