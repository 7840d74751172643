package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// byRunbook is an application on which the runbook's script has run three times: it uses the last of the logins that this left,
// by grants on what its owner owns.
func byRunbook(t *testing.T, version string) *app {
	t.Helper()
	a := appOn(t, version)
	a.as(a.opened(a.current), "CREATE TABLE items (n int GENERATED ALWAYS AS IDENTITY, body text)", "CREATE VIEW recent AS SELECT * FROM items")
	for _, day := range []string{"_20260301", "_20260601", "_20260901"} {
		a.current = rotation.Credential{V: 1, ID: a.owner + day, Value: rotation.NewSecret([]byte("wQ/3+" + day + "="))}
		a.sql(a.database, fmt.Sprintf(`CREATE USER %[1]s WITH PASSWORD %[2]s;
			GRANT ALL PRIVILEGES ON DATABASE %[3]s TO %[1]s;
			GRANT USAGE, CREATE ON SCHEMA %[4]s TO %[1]s;
			GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA %[4]s TO %[1]s;
			GRANT ALL PRIVILEGES ON ALL SEQUENCES IN SCHEMA %[4]s TO %[1]s;
			ALTER ROLE %[1]s SET search_path TO %[4]s`,
			ident(a.current.ID), literal(string(a.current.Value.Reveal())), ident(a.database), ident(a.owner)))
	}
	return a
}

// lent has a third party, and the login itself, grant and be granted what a login can have beside its owner's.
func (a *app) lent() (third, reports string) {
	a.t.Helper()
	third, reports = a.owner+" third party", a.owner+" reports"
	names := strings.NewReplacer("$third", ident(third), "$reports", ident(reports), "$login", ident(a.current.ID), "$owner", ident(a.owner))
	a.sql(a.database, names.Replace(`
		CREATE ROLE $third; CREATE ROLE $reports; CREATE SCHEMA AUTHORIZATION $third;
		CREATE TABLE $third.rates (n int, tenant text); ALTER TABLE $third.rates OWNER TO $third;
		INSERT INTO $third.rates VALUES (1, 'a'), (2, 'b');
		GRANT USAGE ON SCHEMA $third TO $login;
		GRANT SELECT (n, tenant) ON $third.rates TO $login WITH GRANT OPTION;
		ALTER TABLE $third.rates ENABLE ROW LEVEL SECURITY;
		CREATE POLICY mine ON $third.rates TO $login USING (tenant = 'a');
		ALTER DEFAULT PRIVILEGES FOR ROLE $third GRANT SELECT ON TABLES TO $login;
		ALTER DEFAULT PRIVILEGES FOR ROLE $login IN SCHEMA $owner GRANT SELECT ON TABLES TO $reports;
		GRANT pg_read_all_settings TO $login;
		SET ROLE $login; GRANT SELECT (n) ON $third.rates TO $reports; RESET ROLE`))
	return third, reports
}

func TestChooseOwner(t *testing.T) {
	backend := candidate{Name: "backend", Owns: 9, Lent: 4}
	for name, c := range map[string]struct {
		login string
		own   belongings
		all   []candidate
		want  string // "" is a refusal
	}{
		"an ordinary owner":                 {"backend", belongings{Count: 9}, nil, "backend"},
		"the runbook's script":              {"backend_20260901", belongings{}, []candidate{backend}, "backend"},
		"the runbook's steps":               {"backend_v2", belongings{}, []candidate{backend}, "backend"},
		"twice on a day":                    {"backend_20260901_2", belongings{}, []candidate{backend}, "backend"},
		"it has made a table of its own":    {"backend_20260901", belongings{Count: 1}, []candidate{backend}, "backend"},
		"others lend it something too":      {"backend_v2", belongings{}, []candidate{backend, {Name: "reports", Owns: 3, Lent: 3}}, "backend"},
		"a reader of somebody else's":       {"reports", belongings{}, []candidate{backend}, "reports"},
		"a name with more than a date":      {"backend_reports", belongings{}, []candidate{backend}, "backend_reports"},
		"a name alone":                      {"backend_20260901", belongings{}, nil, "backend_20260901"},
		"another application with a number": {"backend_2", belongings{Count: 3, Spaces: true}, []candidate{backend}, ""},
		"it owns as much as the other":      {"backend_2", belongings{Count: 9}, []candidate{backend}, ""},
		"named after two":                   {"a_1_2", belongings{}, []candidate{{Name: "a", Owns: 1, Lent: 1}, {Name: "a_1", Owns: 1, Lent: 1}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := chooseOwner(c.login, c.own, c.all)
			if c.want == "" {
				if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(rotation.Hint(err), "postgres.owner") {
					t.Errorf("%q, %v; want a refusal", got, err)
				}
				for _, candidate := range c.all {
					if !strings.Contains(err.Error(), fmt.Sprintf("%q", candidate.Name)) {
						t.Errorf("%v: no word of %s", err, candidate.Name)
					}
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

// Old sessions and new ones, of either login, use what any of them makes; the login in use is dropped, with all it had handed
// over; the other logins stay as they are.
func TestRotationAfterTheRunbook(t *testing.T) { onVersions(t, later, afterTheRunbook) }

func afterTheRunbook(t *testing.T, version string) {
	a := byRunbook(t, version)
	ctx := context.Background()
	third, reports := a.lent()
	old := a.opened(a.current)
	a.notesAfterTheRunbook()
	c, err := a.server.Generate(ctx, 2, a.current)
	a.must("generate", err)
	if c.ID != a.owner+"_v2" || c.Meta[MetaOwner] != a.owner {
		t.Fatalf("the new login is %s of %s", c.ID, c.Meta[MetaOwner])
	}
	a.plans(rotation.EffectInstall, c,
		"-- in database "+ident(a.database), fmt.Sprintf("GRANT %s TO %s", ident(a.owner), ident(a.current.ID)),
		fmt.Sprintf(`ALTER POLICY mine ON %s.rates TO %s, %s`, ident(third), ident(a.current.ID), ident(a.owner)))
	a.must("install", a.server.Install(ctx, pass, c))
	a.stands(a.server, c, rotation.Accepts, "acting as "+a.owner)
	a.stands(a.server, a.current, rotation.Accepts, "acting as "+a.owner)

	fresh, late := a.opened(c), a.opened(a.current) // late: an old pod opens one more
	a.as(old, "CREATE TABLE by_old (n serial, body text)", "INSERT INTO by_old DEFAULT VALUES")
	a.as(fresh, "INSERT INTO by_old (body) VALUES ('x')", "CREATE TABLE by_fresh (n serial)", "INSERT INTO items (body) VALUES ('y')")
	a.as(late, "CREATE TABLE by_late (n serial)", "ALTER TABLE by_fresh ADD COLUMN late int")
	rates := fmt.Sprintf("SELECT count(n)::int FROM %s.rates", ident(third))
	for _, conn := range []*pgx.Conn{old, late, fresh} {
		a.as(conn, "INSERT INTO by_fresh DEFAULT VALUES", "INSERT INTO by_late DEFAULT VALUES", "SELECT * FROM recent")
		a.counts(conn, rates, 1) // by the policy
	}
	a.plans(rotation.EffectErase, a.current, "REASSIGN OWNED BY "+ident(a.current.ID), "REVOKE CONNECT, CREATE, TEMPORARY ON DATABASE", "DROP ROLE")
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	a.must("erase", a.server.Erase(ctx, pass, a.current))
	a.stands(a.server, a.current, rotation.Absent, "no such role")

	a.as(fresh, "ALTER TABLE by_old ADD COLUMN fresh int", "DROP TABLE by_late")
	a.counts(fresh, rates, 1)
	for what, query := range map[string]string{
		"reports have what the login granted":   fmt.Sprintf("has_column_privilege(%s, %s, 'n', 'SELECT')", literal(reports), literal(ident(third)+".rates")),
		"a leftover has its grants":             fmt.Sprintf("has_table_privilege(%s, %s, 'INSERT')", literal(a.owner+"_20260301"), literal(ident(a.owner)+".items")),
		"the owner is in the login's group":     fmt.Sprintf("pg_has_role(%s, 'pg_read_all_settings', 'USAGE')", literal(a.owner)),
		"reports get what will be made":         fmt.Sprintf("EXISTS (SELECT FROM pg_default_acl WHERE defaclrole = %s::regrole)", literal(ident(a.owner))),
		"the leftovers can log in":              fmt.Sprintf("(SELECT count(*) = 3 FROM pg_roles WHERE rolcanlogin AND rolname IN (%[1]s, %[1]s || '_20260301', %[1]s || '_20260601'))", literal(a.owner)),
		"what the third party makes is lent on": fmt.Sprintf("EXISTS (SELECT FROM pg_default_acl d, aclexplode(defaclacl) e WHERE d.defaclrole = %s::regrole AND e.grantee = %s::regrole)", literal(ident(third)), literal(ident(a.owner))),
	} {
		if got := a.Value(t, a.database, "SELECT ("+query+")::text"); got != "true" {
			t.Errorf("%s: %s", what, got)
		}
	}
}

// notesAfterTheRunbook: what preflight says names the owner, and every leftover with what ends it.
func (a *app) notesAfterTheRunbook() {
	a.t.Helper()
	notes := a.preflight(a.server, a.current)
	for _, want := range []string{
		a.current.ID + " works by what it was granted on the objects of " + a.owner,
		fmt.Sprintf("%s can log in too (1 sessions now): it owns the application's objects, and keeps them. What ends it: ALTER ROLE %s NOLOGIN PASSWORD NULL", a.owner, ident(a.owner)),
		fmt.Sprintf(`%s_20260301 can log in too (0 sessions now): a leftover of an earlier rotation? What ends it: ALTER ROLE "%[1]s_20260301" NOLOGIN`, a.owner),
		a.owner + "_20260601 can log in too",
	} {
		if !strings.Contains(notes, want) {
			a.t.Errorf("the notes do not say %q:\n%s", want, notes)
		}
	}
}

// plans wants a plan to have some texts.
func (a *app) plans(e rotation.Effect, c rotation.Credential, want ...string) {
	a.t.Helper()
	lines, err := a.server.Plan(context.Background(), e, c)
	a.must("plan", err)
	for _, w := range want {
		if plan := strings.Join(lines, "\n"); !strings.Contains(plan, w) {
			a.t.Errorf("the plan does not say %q:\n%s", w, plan)
		}
	}
}

// counts wants a query to give n.
func (a *app) counts(conn *pgx.Conn, query string, want int) {
	a.t.Helper()
	var got int
	a.must(query, conn.QueryRow(context.Background(), query).Scan(&got))
	if got != want {
		a.t.Errorf("%s: %d, want %d", query, got, want)
	}
}

// Killed anywhere, the same call goes on; taken back at any of these moments, the login in use serves as before, and a member of
// its owner more.
func TestInterruptedAndTakenBackAfterTheRunbook(t *testing.T) {
	a := byRunbook(t, "")
	ctx := context.Background()
	a.lent()
	c, err := a.server.Generate(ctx, 2, a.current)
	a.must("generate", err)
	whole := a.servesStill(a.current)
	a.as(a.opened(a.current), "CREATE TABLE its_own (n int)")
	for _, word := range []string{"ALTER DEFAULT PRIVILEGES", "CREATE ROLE", "made to act"} {
		if err := a.severing(word, true).Install(ctx, pass, c); !errors.Is(err, rotation.ErrUnavailable) {
			t.Fatalf("cut at %s: %v", word, err)
		}
		whole()
	}
	a.must("install", a.server.Install(ctx, pass, c))
	whole()
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	for _, word := range []string{"REASSIGN", "REVOKE", "DROP ROLE"} {
		if err := a.severing(word, true).Erase(ctx, pass, a.current); !errors.Is(err, rotation.ErrUnavailable) {
			t.Fatalf("cut at %s: %v", word, err)
		}
		a.must("back", a.server.Install(ctx, pass, a.current))
		a.stands(a.server, a.current, rotation.Accepts, "acting as "+a.owner)
		whole()
	}
	a.must("revoke the new one", a.server.Revoke(ctx, pass, c))
	a.must("erase the new one", a.server.Erase(ctx, pass, c))
	whole()
	if notes := a.preflight(a.server, a.current); strings.Contains(notes, "from install on") {
		t.Errorf("what is done already is announced:\n%s", notes)
	}
	c, err = a.server.Generate(ctx, 3, a.current)
	a.must("generate", err)
	a.must("install", a.server.Install(ctx, pass, c))
	a.must("erase", a.server.Erase(ctx, pass, a.current))
	a.stands(a.server, a.current, rotation.Absent, "no such role")
}

// servesStill gives a look at whether a login still can do what the runbook's grants let it do.
func (a *app) servesStill(c rotation.Credential) (whole func()) {
	return func() {
		a.t.Helper()
		conn := a.opened(c)
		a.as(conn, "INSERT INTO items (body) VALUES ('still')", "SELECT * FROM recent")
		_ = conn.Close(context.Background())
	}
}

// What cannot be handed over exactly is named, with the statement that mends it, before anything changes.
func TestWhatCannotBeHandedOverIsRefused(t *testing.T) {
	for name, c := range map[string]struct{ harm, reason, hint, mend string }{
		"a restrictive policy": {
			"CREATE POLICY narrow ON $owner.items AS RESTRICTIVE TO $login USING (n > 0)", "cannot be handed over",
			`ALTER POLICY narrow ON $owner.items TO $login, $owner`, "ALTER POLICY narrow ON $owner.items TO $login, $owner",
		},
		"a member of its own member": {
			"GRANT $login TO $owner", "is a member of", "REVOKE $login FROM $owner", "REVOKE $login FROM $owner",
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := byRunbook(t, "")
			names := strings.NewReplacer("$login", ident(a.current.ID), "$owner", ident(a.owner))
			a.sql(a.database, names.Replace(c.harm))
			a.refusedFor(a.server, a.current, c.reason, names.Replace(c.hint))
			a.sql(a.database, names.Replace(c.mend))
			a.preflight(a.server, a.current)
		})
	}
}

// Two roles that may be the owner are both named; the configuration says which.
func TestAmbiguousOwnerIsRefused(t *testing.T) {
	a := byRunbook(t, "")
	a.sql(a.database, fmt.Sprintf("CREATE SCHEMA %s AUTHORIZATION %[1]s", ident(a.current.ID)))
	a.refusedFor(a.server, a.current, fmt.Sprintf("whose objects %q works on is not clear", a.current.ID), "postgres.owner")
	if _, err := a.server.Generate(context.Background(), 2, a.current); !errors.Is(err, rotation.ErrRefused) {
		t.Errorf("%v, want a refusal", err)
	}
	for _, owner := range []string{a.owner, a.current.ID} {
		s := a.via(viaScram)
		s.Owner = owner
		a.preflight(s, a.current)
		c, err := s.Generate(context.Background(), 2, a.current)
		a.must("generate", err)
		if c.Meta[MetaOwner] != owner {
			t.Errorf("the owner is %s, want %s", c.Meta[MetaOwner], owner)
		}
	}
}

// An admin that is no superuser is told what it lacks, and can make the whole rotation with just that.
func TestLimitedAdminAfterTheRunbook(t *testing.T) { onVersions(t, later, limitedAfterTheRunbook) }

func limitedAfterTheRunbook(t *testing.T, version string) {
	a := byRunbook(t, version)
	ctx := context.Background()
	a.server.Admin = a.limitedAdmin("GRANT pg_signal_backend TO %s", a.owner, a.current.ID)
	admin := ident(a.server.Admin.User)
	for _, role := range []string{a.owner, a.current.ID} {
		grant := fmt.Sprintf("GRANT %s TO %s", ident(role), admin)
		if a.major() >= 16 {
			grant += " WITH INHERIT TRUE, SET TRUE"
		}
		a.refusedFor(a.server, a.current, "may not act for "+role, grant)
		a.sql("postgres", grant)
	}
	a.refusedFor(a.server, a.current, "GRANT CREATE ON DATABASE", "as a superuser")
	a.sql("postgres", fmt.Sprintf("GRANT ALL ON DATABASE %s TO %s", ident(a.database), ident(a.owner)))
	a.preflight(a.server, a.current)
	c, err := a.server.Generate(ctx, 2, a.current)
	a.must("generate", err)
	a.must("install", a.server.Install(ctx, pass, c))
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	err = a.server.Erase(ctx, pass, a.current)
	if err == nil || !a.exists(a.current.ID) {
		t.Errorf("%v: the database's owner alone can take its grant back", err)
	}
	a.sql("postgres", fmt.Sprintf("REVOKE ALL ON DATABASE %s FROM %s", ident(a.database), ident(a.current.ID)))
	a.must("erase", a.server.Erase(ctx, pass, a.current))
	a.stands(a.server, a.current, rotation.Absent, "no such role")
}

// What a client that did RESET ROLE has made goes to the owner, where that was agreed to; a lock that somebody holds on it is
// waited for only shortly.
func TestReassignIsAConsent(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	c := a.next()
	conn := a.opened(c)
	a.as(conn, "SET ROLE NONE", fmt.Sprintf("CREATE TABLE %s.astray (n int)", ident(a.owner)))
	a.must("revoke", a.server.Revoke(ctx, pass, c))
	err := a.server.Erase(ctx, pass, c)
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(rotation.Hint(err), "--accept=reassign") {
		t.Errorf("%v (%s), want a refusal that offers it", err, rotation.Hint(err))
	}
	a.server.Reassign = true
	holder, err := a.Admin(ctx, a.database)
	a.must("admin", err)
	defer holder.Close(ctx)
	a.as(holder, "BEGIN", fmt.Sprintf("LOCK TABLE %s.astray IN ACCESS SHARE MODE", ident(a.owner)))
	if err := a.server.Erase(ctx, pass, c); !errors.Is(err, rotation.ErrUnavailable) || !strings.Contains(err.Error(), "lock timeout") {
		t.Errorf("%v, want that it gave up waiting", err)
	}
	a.as(holder, "ROLLBACK")
	a.must("erase", a.server.Erase(ctx, pass, c))
	if got := a.Value(t, a.database, "SELECT pg_get_userbyid(relowner)::text FROM pg_class WHERE relname = 'astray'"); got != a.owner {
		t.Errorf("the table is %s's", got)
	}
}
