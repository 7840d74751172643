package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func TestSettingsAndConnectionLimitAreCopied(t *testing.T) {
	onVersions(t, []string{"18"}, func(t *testing.T, version string) {
		a := appOn(t, version)
		owner := ident(a.owner)
		a.sql("postgres",
			"ALTER ROLE "+owner+` SET search_path TO "$user", 'My Schema', public`,
			"ALTER ROLE "+owner+" SET work_mem TO '5MB'",
			"ALTER ROLE "+owner+" SET my.own TO 'it''s \\ here'",
			"ALTER ROLE "+owner+" SET log_min_duration_statement TO '1s'",
			"ALTER ROLE "+owner+" SET timezone TO 'Europe/Berlin'",
			fmt.Sprintf("ALTER ROLE %s IN DATABASE %s SET lock_timeout TO '7s'", owner, ident(a.database)))
		c := a.next()
		conn := a.opened(c)
		got := map[string]string{}
		for _, name := range []string{"search_path", "work_mem", "my.own", "log_min_duration_statement", "timezone", "lock_timeout", "role"} {
			var value string
			a.must(name, conn.QueryRow(context.Background(), "SELECT current_setting($1)", name).Scan(&value))
			got[name] = value
		}
		want := map[string]string{
			"search_path": `"$user", "My Schema", public`, "work_mem": "5MB", "my.own": `it's \ here`,
			"log_min_duration_statement": "1s", "timezone": "Europe/Berlin", "lock_timeout": "7s", "role": a.owner,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if limit := a.Value(t, "postgres", "SELECT rolconnlimit::text FROM pg_roles WHERE rolname = $1", c.ID); limit != "20" {
			t.Errorf("the connection limit is %s, want 20", limit)
		}
	})
}

func TestSecondRotationModelsOnTheLoginInUse(t *testing.T) {
	a := newApp(t)
	second := a.next()
	a.sql("postgres", fmt.Sprintf("ALTER ROLE %s SET work_mem TO '9MB'", ident(second.ID)))
	third, err := a.server.Generate(context.Background(), 3, second)
	a.must("generate", err)
	a.must("install", a.server.Install(context.Background(), pass, third))
	a.stands(a.server, third, rotation.Accepts, "acting as "+a.owner)
	var memory string
	a.must("work_mem", a.opened(third).QueryRow(context.Background(), "SHOW work_mem").Scan(&memory))
	if memory != "9MB" {
		t.Errorf("work_mem is %s, want that of %s", memory, second.ID)
	}
}

// VALID UNTIL is carried on by an interval: copied as it stands, both passwords would end together.
func TestValidUntilIsNotCopiedAsItStands(t *testing.T) {
	a := newApp(t)
	a.sql("postgres", fmt.Sprintf("ALTER ROLE %s VALID UNTIL %s", ident(a.owner), literal(time.Now().Add(time.Hour).Format(time.RFC3339))))
	endless := a.next()
	const days = "SELECT coalesce(round(extract(epoch FROM rolvaliduntil - now()) / 86400), 0)::text FROM pg_roles WHERE rolname = $1"
	if got := a.Value(t, "postgres", days, endless.ID); got != "0" {
		t.Errorf("the new password ends in %s days", got)
	}
	a.server.ValidFor = 90 * 24 * time.Hour
	third, err := a.server.Generate(context.Background(), 3, a.current)
	a.must("generate", err)
	a.must("install", a.server.Install(context.Background(), pass, third))
	if got := a.Value(t, "postgres", days, third.ID); got != "90" {
		t.Errorf("the new password ends in %s days, want 90", got)
	}
}

func TestHalfMadeLoginOfOursIsMended(t *testing.T) {
	onVersions(t, []string{"18"}, func(t *testing.T, version string) {
		for name, harm := range map[string]string{
			"NOLOGIN":            "ALTER ROLE %[1]s NOLOGIN",
			"membership missing": "REVOKE %[2]s FROM %[1]s",
			"role setting gone":  "ALTER ROLE %[1]s RESET role",
			"all settings gone":  "ALTER ROLE %[1]s RESET ALL",
			"another password":   "ALTER ROLE %[1]s PASSWORD 'by hand'",
			"no password":        "ALTER ROLE %[1]s PASSWORD NULL",
			"mark taken off":     "COMMENT ON ROLE %[1]s IS 'ours now'; ALTER ROLE %[1]s NOLOGIN",
		} {
			t.Run(name, func(t *testing.T) {
				a := appOn(t, version)
				a.sql("postgres", fmt.Sprintf("ALTER ROLE %s SET work_mem TO '6MB'", ident(a.owner)))
				c := a.next()
				a.sql("postgres", fmt.Sprintf(harm, ident(c.ID), ident(a.owner)))
				places, err := a.server.Standing(context.Background(), c)
				a.must("standing", err)
				if places[0].Status == rotation.Accepts || places[0].Status == rotation.Absent {
					t.Errorf("harmed, it stands as %s (%s)", places[0].Status, places[0].Proof)
				}
				a.must("install again", a.server.Install(context.Background(), pass, c))
				a.stands(a.server, c, rotation.Accepts, "acting as "+a.owner)
				var memory string
				a.must("work_mem", a.opened(c).QueryRow(context.Background(), "SHOW work_mem").Scan(&memory))
				if memory != "6MB" {
					t.Errorf("work_mem is %s, want 6MB", memory)
				}
			})
		}
	})
}

func TestAdoptedLoginThatIsGoneIsNotMadeAnew(t *testing.T) {
	a := newApp(t)
	gone := rotation.Credential{V: 1, ID: "never was", Value: a.current.Value}
	err := a.server.Install(context.Background(), pass, gone)
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "never was") {
		t.Errorf("%v, want a refusal that names it", err)
	}
}

// What either generation makes belongs to the owner, and both work on it.
func TestObjectsOfEitherGenerationServeBoth(t *testing.T) {
	a := newApp(t)
	old := a.opened(a.current)
	a.as(old, "CREATE TABLE by_old (id serial PRIMARY KEY, who text DEFAULT current_user)",
		"ALTER TABLE by_old ENABLE ROW LEVEL SECURITY; ALTER TABLE by_old FORCE ROW LEVEL SECURITY",
		"CREATE POLICY mine ON by_old USING (who = current_user)",
		"CREATE FUNCTION take() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT nextval('by_old_id_seq') $$",
		"INSERT INTO by_old DEFAULT VALUES")
	c := a.next()
	young := a.opened(c)
	a.as(young, "CREATE TABLE by_new (n int)", "INSERT INTO by_old DEFAULT VALUES", "SELECT take()",
		"ALTER TABLE by_old ADD COLUMN more text", "DISCARD ALL", "INSERT INTO by_new VALUES (1)")
	a.as(old, "INSERT INTO by_new VALUES (2)", "ALTER TABLE by_new ADD COLUMN more text", "SELECT take()")
	var rows, owners int
	a.must("count", young.QueryRow(context.Background(), "SELECT count(*) FROM by_old").Scan(&rows))
	a.must("owners", young.QueryRow(context.Background(),
		"SELECT count(DISTINCT relowner) FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_user)").Scan(&owners))
	if rows != 2 || owners != 1 {
		t.Errorf("the policy shows %d rows of 2, and there are %d owners", rows, owners)
	}
}

func TestQuarantineKeepsThePassword(t *testing.T) {
	a := newApp(t)
	const stored = "SELECT rolpassword FROM pg_authid WHERE rolname = $1"
	before := a.Value(t, "postgres", stored, a.owner)
	a.must("revoke", a.server.Revoke(context.Background(), pass, a.current))
	a.stands(a.server, a.current, rotation.Quarantined, "NOLOGIN")
	if _, err := a.open(a.current); err == nil {
		t.Error("a quarantined login was let in")
	}
	a.must("lift", a.server.Install(context.Background(), pass, a.current))
	a.opened(a.current)
	if after := a.Value(t, "postgres", stored, a.owner); after != before {
		t.Error("the stored verifier was changed: proxies that keep a copy would be locked out")
	}
}

// An erased adopted login stays as the owner; a quarantined one has its password still.
func TestErasedOwnerIsToldFromAQuarantinedOne(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	a.sql("postgres", fmt.Sprintf("COMMENT ON ROLE %s IS 'see the wiki'", ident(a.owner)))
	limited := a.via(viaScram)
	limited.Admin = a.limitedAdmin("", a.owner)
	tombstone := rotation.Credential{V: 1, ID: a.owner}
	everyone := func(want rotation.Status) {
		t.Helper()
		for _, s := range []*Server{a.server, limited} {
			a.stands(s, a.current, want, "")
			a.stands(s, tombstone, want, "")
		}
	}
	c := a.next()
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	everyone(rotation.Quarantined)
	a.must("erase", a.server.Erase(ctx, pass, a.current))
	everyone(rotation.Absent)
	a.stands(a.server, c, rotation.Accepts, "acting as "+a.owner)
	const says = "SELECT coalesce(shobj_description(oid, 'pg_authid'), '') FROM pg_roles WHERE rolname = $1"
	if got := a.Value(t, "postgres", says, a.owner); !strings.HasPrefix(got, "see the wiki\n") {
		t.Errorf("its comment is now %q", got)
	}
	a.must("install", a.server.Install(ctx, pass, a.current))
	a.stands(a.server, a.current, rotation.Accepts, "login as")
	if got := a.Value(t, "postgres", says, a.owner); got != "see the wiki" {
		t.Errorf("its comment is now %q", got)
	}
}

// What is known of the password speaks louder than the comment, either way.
func TestCommentOfARetiredLoginIsNotBelievedAgainstTheCatalogue(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	a.must("erase", a.server.Erase(ctx, pass, a.current))
	a.sql("postgres", fmt.Sprintf("COMMENT ON ROLE %s IS NULL", ident(a.owner)))
	a.stands(a.server, a.current, rotation.Absent, "no password")
	a.sql("postgres",
		fmt.Sprintf("COMMENT ON ROLE %s IS %s", ident(a.owner), literal(retiredMark)),
		fmt.Sprintf("ALTER ROLE %s PASSWORD 'again'", ident(a.owner)))
	a.stands(a.server, a.current, rotation.Quarantined, "NOLOGIN")
}

// An admin who may not see the stored verifier sets the password where it is known to be gone or not to work.
func TestLimitedAdminSetsAPasswordAgain(t *testing.T) {
	onVersions(t, later, func(t *testing.T, version string) {
		a := appOn(t, version)
		ctx := context.Background()
		s := a.via(viaScram)
		s.Admin = a.limitedAdmin("GRANT pg_signal_backend TO %s", a.owner)
		a.must("revoke", s.Revoke(ctx, pass, a.current))
		a.must("lift", s.Install(ctx, pass, a.current))
		a.stands(s, a.current, rotation.Accepts, "login")
		a.must("erase", s.Erase(ctx, pass, a.current))
		a.must("install", s.Install(ctx, pass, a.current))
		a.stands(s, a.current, rotation.Accepts, "login")
		a.sql("postgres", fmt.Sprintf("ALTER ROLE %s PASSWORD 'by hand'", ident(a.owner)))
		a.stands(s, a.current, rotation.Altered, "another password")
		a.must("install", s.Install(ctx, pass, a.current))
		a.stands(s, a.current, rotation.Accepts, "login")
	})
}

// A restored backup can bring a retired login back, as it was.
func TestRetiredLoginThatCameBackIsSeenAndRevoked(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	a.next()
	tombstone := rotation.Credential{V: 1, ID: a.owner}
	a.stands(a.server, tombstone, rotation.Accepts, "LOGIN")
	a.must("revoke", a.server.Revoke(ctx, pass, tombstone))
	a.must("erase", a.server.Erase(ctx, pass, tombstone))
	a.stands(a.server, tombstone, rotation.Absent, "stays as the owner")

	stranger := rotation.Credential{V: 1, ID: a.owner + " someone"}
	a.sql("postgres", fmt.Sprintf("CREATE ROLE %s LOGIN", ident(stranger.ID)))
	if err := a.server.Revoke(ctx, pass, stranger); !errors.Is(err, rotation.ErrRefused) {
		t.Errorf("revoking a stranger of a retired name: %v, want a refusal", err)
	}
}

func TestNeitherPasswordNorVerifierIsInTheServersLog(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	c := a.next()
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	a.must("erase", a.server.Erase(ctx, pass, a.current))
	a.must("install", a.server.Install(ctx, pass, a.current))
	var secrets []string
	for _, x := range []rotation.Credential{c, a.current} {
		v := a.Value(t, "postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = $1", x.ID)
		secrets = append(secrets, string(x.Value.Reveal()), v, strings.Split(v, "$")[2])
	}
	log := a.log()
	for i, secret := range secrets {
		if strings.Contains(log, secret) {
			t.Errorf("secret %d is in the server's log", i)
		}
	}
	for _, trace := range []string{"CREATE ROLE " + ident(c.ID), "ALTER ROLE %I PASSWORD %L"} {
		if !strings.Contains(log, trace) {
			t.Errorf("%q is not in the server's log: it would not show a secret either", trace)
		}
	}
}

func TestPlainPasswordIsNotInTheLogForALimitedAdminEither(t *testing.T) {
	a := newApp(t)
	a.server.Admin = a.limitedAdmin("GRANT pg_signal_backend TO %s", a.owner)
	c := a.next()
	a.stands(a.server, c, rotation.Accepts, "acting as "+a.owner)
	if strings.Contains(a.log(), string(c.Value.Reveal())) {
		t.Error("the password is in the server's log")
	}
}
