package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotationtest"
)

// clonable is an application whose login owns nothing and has been granted one thing of each kind.
func clonable(t *testing.T, version string) *app {
	t.Helper()
	a := appOn(t, version)
	a.server.Strategy = Clone
	login, schema := ident(a.owner), ident(a.owner)
	team := ident("team of " + a.owner)
	a.sql(a.database,
		"CREATE ROLE "+team, fmt.Sprintf("GRANT %s TO %s", team, login),
		fmt.Sprintf("ALTER SCHEMA %s OWNER TO postgres", schema), fmt.Sprintf("GRANT USAGE ON SCHEMA %s TO %s", schema, login),
		fmt.Sprintf("ALTER ROLE %s SET work_mem TO '6MB'", login),
		fmt.Sprintf("SET search_path = %s; CREATE TABLE items (id serial, secret text, body text); CREATE TYPE mood AS ENUM ('good'); "+
			"CREATE FUNCTION two() RETURNS int LANGUAGE sql AS 'SELECT 2'; REVOKE ALL ON FUNCTION two() FROM PUBLIC; REVOKE ALL ON TYPE mood FROM PUBLIC; "+
			"GRANT INSERT, SELECT (id, body) ON items TO %s; GRANT USAGE ON SEQUENCE items_id_seq TO %[2]s WITH GRANT OPTION; "+
			"GRANT EXECUTE ON FUNCTION two() TO %[2]s; GRANT USAGE ON TYPE mood TO %[2]s; "+
			"ALTER DEFAULT PRIVILEGES IN SCHEMA %[1]s GRANT SELECT ON TABLES TO %[2]s", schema, login),
		fmt.Sprintf("GRANT TEMPORARY ON DATABASE %s TO %s", ident(a.database), login))
	t.Cleanup(func() {
		a.sql(a.database, fmt.Sprintf("ALTER DEFAULT PRIVILEGES IN SCHEMA %s REVOKE SELECT ON TABLES FROM PUBLIC; DROP SCHEMA %[1]s CASCADE", schema))
	})
	return a
}

// can is what a login can do.
func (a *app) can(login string) map[string]string {
	a.t.Helper()
	got := map[string]string{}
	for what, query := range map[string]string{
		"schema":     "has_schema_privilege(%[1]s, %[2]s, 'USAGE')",
		"table":      "has_table_privilege(%[1]s, %[3]s || '.items', 'INSERT') AND NOT has_table_privilege(%[1]s, %[3]s || '.items', 'SELECT')",
		"column":     "has_column_privilege(%[1]s, %[3]s || '.items', 'body', 'SELECT') AND NOT has_column_privilege(%[1]s, %[3]s || '.items', 'secret', 'SELECT')",
		"sequence":   "has_sequence_privilege(%[1]s, %[3]s || '.items_id_seq', 'USAGE WITH GRANT OPTION')",
		"function":   "has_function_privilege(%[1]s, %[3]s || '.two()', 'EXECUTE')",
		"type":       "has_type_privilege(%[1]s, %[3]s || '.mood', 'USAGE')",
		"database":   "has_database_privilege(%[1]s, current_database(), 'TEMPORARY')",
		"membership": "pg_has_role(%[1]s, 'team of ' || %[2]s, 'USAGE')",
		"setting":    "EXISTS (SELECT FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole WHERE r.rolname = %[1]s AND 'work_mem=6MB' = ANY (setconfig))",
		"default":    "EXISTS (SELECT FROM pg_default_acl d, aclexplode(d.defaclacl) e JOIN pg_roles r ON r.oid = e.grantee WHERE r.rolname = %[1]s)",
	} {
		sql := fmt.Sprintf("SELECT ("+query+")::text", literal(login), literal(a.owner), literal(ident(a.owner)))
		got[what] = a.Value(a.t, a.database, sql)
	}
	return got
}

func TestCloneContract(t *testing.T) {
	onVersions(t, []string{"18"}, func(t *testing.T, version string) {
		rotationtest.Server(t, func(t *testing.T) rotationtest.ServerFixture { return clonable(t, version).contract() })
	})
}

// A whole rotation by clones, and the next: the clone can do what the login before could, and nothing is left of that.
func TestACloneCanDoWhatTheLoginBeforeCould(t *testing.T) {
	onVersions(t, []string{"18"}, func(t *testing.T, version string) {
		a := clonable(t, version)
		ctx := context.Background()
		want := a.can(a.owner)
		for what, is := range want {
			if is != "true" {
				t.Errorf("%s: the login in use is not granted it: the test would prove nothing", what)
			}
		}
		old := a.current
		for v := rotation.Version(2); v <= 3; v++ {
			notes := a.preflight(a.server, old)
			if !strings.Contains(notes, "belongs to the login that made it") {
				t.Errorf("the notes do not say what cannot be promised: %s", notes)
			}
			c, err := a.server.Generate(ctx, v, old)
			a.must("generate", err)
			a.must("install", a.server.Install(ctx, pass, c))
			if wanted := fmt.Sprintf("%s_v%d", a.owner, v); c.ID != wanted {
				t.Errorf("the clone is %s, want %s", c.ID, wanted)
			}
			a.stands(a.server, c, rotation.Accepts, "login as "+c.ID)
			if diff := cmp.Diff(want, a.can(c.ID)); diff != "" {
				t.Errorf("what %s can do: %s", c.ID, diff)
			}
			a.must("revoke", a.server.Revoke(ctx, pass, old))
			a.must("erase", a.server.Erase(ctx, pass, old))
			a.stands(a.server, old, rotation.Absent, "no such role")
			a.stands(a.server, c, rotation.Accepts, "login as "+c.ID)
			old = c
		}
	})
}

// Stopped anywhere, it is seen to be half made, and mended; so is the old login, from which something has been taken already.
func TestHalfAClone(t *testing.T) {
	a := clonable(t, "")
	ctx := context.Background()
	c, err := a.server.Generate(ctx, 2, a.current)
	a.must("generate", err)
	fences := 0
	stop := errors.New("stopped")
	err = a.server.Install(ctx, func(context.Context) error {
		if fences++; fences == 2 {
			return stop
		}
		return nil
	}, c)
	if !errors.Is(err, stop) {
		t.Fatalf("%v, want to be stopped between the role and its grants", err)
	}
	a.stands(a.server, c, rotation.Altered, "of the things that "+a.owner+" has, the first: ")
	a.must("install", a.server.Install(ctx, pass, c))
	a.stands(a.server, c, rotation.Accepts, "login as "+c.ID)
	for _, harm := range []string{
		fmt.Sprintf("REVOKE INSERT ON %[1]s.items FROM %[2]s", ident(a.owner), ident(c.ID)),
		fmt.Sprintf("REVOKE %s FROM %s", ident("team of "+a.owner), ident(c.ID)),
		fmt.Sprintf("GRANT SELECT ON %s.items TO %[1]s", ident(a.owner)), // granted to the old one later
	} {
		a.sql(a.database, harm)
		a.stands(a.server, c, rotation.Altered, "it lacks 1 of the things")
		a.must("install again", a.server.Install(ctx, pass, c))
		a.stands(a.server, c, rotation.Accepts, "login as "+c.ID)
	}
	a.sql(a.database, fmt.Sprintf("REVOKE INSERT ON %s.items FROM %[1]s", ident(a.owner)))
	a.stands(a.server, a.current, rotation.Altered, "of the things that "+c.ID+" has")
	a.must("bring back", a.server.Install(ctx, pass, a.current))
	a.stands(a.server, a.current, rotation.Accepts, "login as "+a.owner)
	a.must("erase the clone", a.server.Erase(ctx, pass, c))
	a.stands(a.server, a.current, rotation.Accepts, "login as "+a.owner)
}

// What a clone cannot take over is refused before anything changes.
func TestWhatCannotBeCloned(t *testing.T) {
	for change, want := range map[string][2]string{
		"CREATE TABLE %[2]s.mine (); ALTER TABLE %[2]s.mine OWNER TO %[1]s":                        {"owner of 1 in pg_class", "the strategy alternate"},
		"CREATE POLICY p ON %[2]s.items TO %[1]s":                                                  {"policies in 1 in pg_policy", "the strategy alternate"},
		"CREATE ROLE %[3]s IN ROLE %[1]s":                                                          {"roles are members of it", ""},
		"SET ROLE %[1]s; GRANT USAGE ON SEQUENCE %[2]s.items_id_seq TO pg_monitor":                 {"has granted USAGE on SEQUENCE", "revoke it"},
		"ALTER ROLE %[1]s CREATEROLE":                                                              {"CREATEROLE", ""},
		"GRANT pg_read_all_settings TO %[1]s; ALTER ROLE %[1]s SET role TO 'pg_read_all_settings'": {"there is nothing to copy", "alternate"},
	} {
		t.Run(change, func(t *testing.T) {
			a := clonable(t, "")
			a.sql(a.database, fmt.Sprintf(change, ident(a.owner), ident(a.owner), ident("member of "+a.owner)))
			a.refusedFor(a.server, a.current, want[0], want[1])
		})
	}
}

// A clone that made something is not dropped, and loses nothing: what it has is named.
func TestAPairIsNotDroppedWithWhatItMade(t *testing.T) {
	a := clonable(t, "")
	ctx := context.Background()
	c := a.next()
	a.sql(a.database, fmt.Sprintf("CREATE TABLE %[1]s.mine (); ALTER TABLE %[1]s.mine OWNER TO %[1]s", ident(a.owner)))
	before := a.can(a.owner)
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	err := a.server.Erase(ctx, pass, a.current)
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "owner of 1 in pg_class") {
		t.Errorf("%v, want a refusal that names what it made", err)
	}
	if diff := cmp.Diff(before, a.can(a.owner)); diff != "" {
		t.Errorf("something was taken from it: %s", diff)
	}
	a.stands(a.server, c, rotation.Altered, "ON TABLE") // it can be given the use of that too
	a.must("install again", a.server.Install(ctx, pass, c))
	a.stands(a.server, c, rotation.Accepts, "login as "+c.ID)
}

// An admin that is no superuser is told by preflight what it lacks, and can make whole rotations by clones with just that.
func TestLimitedAdminMakesClones(t *testing.T) { onVersions(t, later, limitedClones) }

func limitedClones(t *testing.T, version string) {
	a := clonable(t, version)
	ctx := context.Background()
	want := a.can(a.owner)
	a.server.Admin = a.limitedAdmin("")
	a.grantedOneByOne("may not grant what postgres owns")
	a.refusedFor(a.server, a.current, "may not grant what postgres owns", "a superuser as the admin")
	a.ownedBy(ident("platform of " + a.owner))
	a.refusedFor(a.server, a.current, "may not act for platform of "+a.owner, "GRANT "+ident("platform of "+a.owner))
	a.grantedOneByOne("")
	old := a.current
	for v := rotation.Version(2); v <= 3; v++ {
		c, err := a.server.Generate(ctx, v, old)
		a.must("generate", err)
		before := a.roles()
		if notes := a.preflight(a.server, old); strings.Contains(notes, "by hand") {
			t.Errorf("what is to be done by hand? %s", notes)
		}
		if diff := cmp.Diff(before, a.roles()); diff != "" {
			t.Errorf("preflight has changed something: %s", diff)
		}
		a.must("install", a.server.Install(ctx, pass, c))
		a.stands(a.server, c, rotation.Accepts, "login as "+c.ID)
		if diff := cmp.Diff(want, a.can(c.ID)); diff != "" {
			t.Errorf("what %s can do: %s", c.ID, diff)
		}
		a.must("revoke", a.server.Revoke(ctx, pass, old))
		a.must("erase", a.server.Erase(ctx, pass, old))
		a.stands(a.server, old, rotation.Absent, "no such role")
		old = c
	}
}

// grantedOneByOne has the admin given what preflight names, until it names something with that in it, or, for "", nothing
// more.
func (a *app) grantedOneByOne(until string) {
	a.t.Helper()
	for range 10 {
		_, err := a.server.Preflight(context.Background(), a.current)
		if err == nil && until == "" || until != "" && err != nil && strings.Contains(err.Error(), until) {
			return
		}
		if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), a.server.Admin.User) {
			a.t.Fatalf("%v, want a refusal that names the admin, and in the end %q", err, until)
		}
		a.sql(a.database, rotation.Hint(err))
	}
	a.t.Fatalf("%q does not come", until)
}

// ownedBy gives what a clonable login works on to a role that is no superuser.
func (a *app) ownedBy(owner string) {
	a.t.Helper()
	login := ident(a.owner)
	a.sql(a.database, "CREATE ROLE "+owner, fmt.Sprintf(
		"SET search_path = %s; ALTER DEFAULT PRIVILEGES IN SCHEMA %[1]s REVOKE SELECT ON TABLES FROM %[1]s; "+
			"ALTER TABLE items OWNER TO %[2]s; ALTER TYPE mood OWNER TO %[2]s; ALTER FUNCTION two() OWNER TO %[2]s; ALTER SCHEMA %[1]s OWNER TO %[2]s; "+
			"ALTER DEFAULT PRIVILEGES FOR ROLE %[2]s IN SCHEMA %[1]s GRANT SELECT ON TABLES TO %[1]s", login, owner),
		fmt.Sprintf("REVOKE TEMPORARY ON DATABASE %s FROM %s", ident(a.database), login))
}

// roles are all there are, with what they are members of.
func (a *app) roles() string {
	a.t.Helper()
	return a.Value(a.t, "postgres", `SELECT string_agg(r.rolname || ' ' || coalesce((
		SELECT string_agg(m.roleid::regrole::text, ' ' ORDER BY m.roleid) FROM pg_auth_members m WHERE m.member = r.oid), ''), E'\n' ORDER BY r.oid) FROM pg_roles r`)
}
