package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func (a *app) preflight(s *Server, c rotation.Credential) string {
	a.t.Helper()
	notes, err := s.Preflight(context.Background(), c)
	a.must("preflight", err)
	return strings.Join(notes, "\n")
}

// refusedFor wants a preflight to be refused, with a phrase in its reason and one in its hint.
func (a *app) refusedFor(s *Server, c rotation.Credential, reason, hint string) {
	a.t.Helper()
	_, err := s.Preflight(context.Background(), c)
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), reason) || !strings.Contains(rotation.Hint(err), hint) {
		a.t.Errorf("%v (%s), want a refusal with %q (%q)", err, rotation.Hint(err), reason, hint)
	}
}

func TestPreflightLetsAnOrdinaryLoginPass(t *testing.T) {
	a := newApp(t)
	if notes := a.preflight(a.server, a.current); notes != "" {
		t.Errorf("the notes are %q", notes)
	}
	c := a.next()
	if notes := a.preflight(a.server, c); !strings.Contains(notes, a.owner+" can log in too") {
		t.Errorf("the notes are %q, want the owner that can still log in", notes)
	}
}

func TestPreflightRefusesLoginsThatCannotBeRotated(t *testing.T) {
	for change, want := range map[string][2]string{
		"ALTER ROLE %[1]s SUPERUSER":                                        {"is a superuser", "a role of its own"},
		"ALTER ROLE %[1]s REPLICATION":                                      {"REPLICATION", ""},
		"ALTER ROLE %[1]s BYPASSRLS":                                        {"BYPASSRLS", ""},
		"ALTER ROLE %[1]s NOLOGIN":                                          {"may not log in", "which login"},
		"ALTER ROLE %[1]s PASSWORD 'changed by hand'":                       {"does not accept the Secret's password", "into the Secret first"},
		"ALTER ROLE %[1]s IN DATABASE %[2]s SET role TO 'pg_read_all_data'": {"acts as another role in database", "for all databases"},
	} {
		t.Run(change, func(t *testing.T) {
			a := newApp(t)
			a.sql("postgres", fmt.Sprintf(change, ident(a.owner), ident(a.database)))
			a.refusedFor(a.server, a.current, want[0], want[1])
		})
	}
}

func TestPreflightNamesWhatIsWrongWithTheSecret(t *testing.T) {
	a := newApp(t)
	a.refusedFor(a.server, rotation.Credential{V: 1, ID: "someone else's"}, `has no role "someone else's" (its databases: Demo`, "belongs to this server")
	a.refusedFor(a.server, rotation.Credential{V: 1, ID: a.server.Admin.User}, "is the admin itself", "another role")
	long := namedApp(t, strings.Repeat("l", 61))
	a.refusedFor(a.server, long.current, "64 bytes", "shorter")
}

func TestBrokenMinorsAreNamed(t *testing.T) {
	for n, want := range map[int]string{
		150009: "15.10", 130017: "13.18", 120021: "12.22", 140014: "14.15", 160005: "16.6", 170001: "17.2",
		150008: "", 150010: "", 150020: "", 160000: "", 180004: "",
	} {
		if got := brokenMinor(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
	p := preflight{n: &session{version: 150009}}
	err := p.version(context.Background(), rotation.Credential{})
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "15.9") || rotation.Hint(err) != "upgrade to 15.10" {
		t.Errorf("%v (%s)", err, rotation.Hint(err))
	}
}

// A server that ignores the setting on which all rests is refused by name. It really does ignore it: a login that is made
// in spite of that is found out.
func TestABrokenMinorIsRefusedByName(t *testing.T) {
	a := appOn(t, "16.5").limited()
	a.refusedFor(a.server, a.current, "PostgreSQL 16.5 ignores ALTER ROLE … SET role", "upgrade to 16.6")
	c := a.next()
	a.stands(a.server, c, rotation.Altered, `acts as "`+c.ID+`" instead of "`+a.owner+`"`)
}

func TestPreflightWantsRoomForTheOverlap(t *testing.T) {
	a := newApp(t)
	for range 3 {
		a.opened(a.current)
	}
	a.sql("postgres", fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT 7", ident(a.database)))
	t.Cleanup(func() { a.sql("postgres", fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT -1", ident(a.database))) })
	a.refusedFor(a.server, a.current, "has 4 connections left of 7: while 3 of "+a.owner+" are doubled, 5 are needed", "raise the limit")
	a.sql("postgres", fmt.Sprintf("ALTER DATABASE %s CONNECTION LIMIT 8", ident(a.database)))
	if notes := a.preflight(a.server, a.current); strings.Contains(notes, "autoscalers") {
		t.Errorf("autoscalers are noted, and there are none:\n%s", notes)
	}
	a.server.Growth = 2
	want := "has 8 connections: once autoscalers have made as many pods as they may, " + a.owner + " takes 6 of them, and twice that while it rolls"
	if notes := a.preflight(a.server, a.current); !strings.Contains(notes, want) {
		t.Errorf("the notes do not say %q:\n%s", want, notes)
	}
}

func TestPreflightNotesLeftoversAndWhatChanges(t *testing.T) {
	a := newApp(t)
	a.sql("postgres",
		fmt.Sprintf("CREATE ROLE %s LOGIN", ident(a.owner+"_20260901")),
		fmt.Sprintf("CREATE ROLE %s LOGIN IN ROLE %s", ident("friend of "+a.owner), ident(a.owner)),
		fmt.Sprintf("CREATE ROLE %s LOGIN", ident(a.owner+"_reports")),
		fmt.Sprintf("SET password_encryption = md5; ALTER ROLE %s VALID UNTIL '2099-01-01' PASSWORD %s", ident(a.owner), literal(string(a.current.Value.Reveal()))))
	notes := a.preflight(a.via(viaTrust), a.current)
	for _, want := range []string{a.owner + "_20260901 can log in too", "friend of " + a.owner + " can log in too", "VALID UNTIL", "MD5"} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes do not say %q:\n%s", want, notes)
		}
	}
	if strings.Contains(notes, "_reports") {
		t.Errorf("a role of its own is taken for a leftover:\n%s", notes)
	}
}

func TestPreflightNotesWhatTheLoginHasForItself(t *testing.T) {
	a := newApp(t)
	c := a.next()
	a.sql(a.database, fmt.Sprintf("CREATE TABLE apart (); GRANT SELECT ON apart TO %s", ident(c.ID)))
	t.Cleanup(func() { a.sql(a.database, "DROP TABLE apart") })
	notes := a.preflight(a.server, c)
	if want := c.ID + " can be retired only after a change by hand: things depend on it: grants on 1 in pg_class"; !strings.Contains(notes, want) {
		t.Errorf("the notes do not say %q:\n%s", want, notes)
	}
}

func TestPreflightNamesTheGrantThatTheAdminLacks(t *testing.T) {
	onVersions(t, later, func(t *testing.T, version string) {
		a := appOn(t, version)
		s := a.via(viaScram)
		s.Admin = a.limitedAdmin("ALTER ROLE %s NOCREATEROLE")
		admin := ident(s.Admin.User)
		a.refusedFor(s, a.current, "may not create roles", fmt.Sprintf("ALTER ROLE %s CREATEROLE", admin))
		a.sql("postgres", fmt.Sprintf("ALTER ROLE %s CREATEROLE", admin))
		if a.major() >= 16 {
			grant := fmt.Sprintf("GRANT %s TO %s WITH ADMIN OPTION", ident(a.owner), admin)
			a.refusedFor(s, a.current, "may not make members of "+a.owner, grant)
			a.sql("postgres", grant, fmt.Sprintf("REVOKE INHERIT OPTION FOR %s FROM %s", ident(a.owner), admin))
		}
		a.refusedFor(s, a.current, "may not end sessions", "GRANT pg_signal_backend TO "+admin)
		a.sql("postgres", "GRANT pg_signal_backend TO "+admin)
		if notes := a.preflight(s, a.current); !strings.Contains(notes, "GRANT pg_read_all_stats TO "+admin) {
			t.Errorf("the notes are %q", notes)
		}
	})
}

// An admin that has just what preflight asks for can make a whole rotation.
func TestLimitedAdminMakesAWholeRotation(t *testing.T) {
	onVersions(t, later, func(t *testing.T, version string) {
		a := appOn(t, version)
		ctx := context.Background()
		a.sql("postgres", fmt.Sprintf("ALTER ROLE %s SET work_mem TO '6MB'", ident(a.owner)))
		a.server.Admin = a.limitedAdmin("GRANT pg_signal_backend TO %s", a.owner)
		a.preflight(a.server, a.current)
		old := a.opened(a.current)
		a.as(old, "CREATE TABLE kept (n int)")
		c := a.next()
		a.stands(a.server, c, rotation.Accepts, "acting as "+a.owner)
		a.as(a.opened(c), "ALTER TABLE kept ADD COLUMN more text")
		a.must("revoke", a.server.Revoke(ctx, pass, a.current))
		a.must("erase", a.server.Erase(ctx, pass, a.current))
		a.stands(a.server, a.current, rotation.Absent, "stays as the owner")
		a.preflight(a.server, c)
		third, err := a.server.Generate(ctx, 3, c)
		a.must("generate", err)
		a.must("install", a.server.Install(ctx, pass, third))
		a.stands(a.server, third, rotation.Accepts, "acting as "+a.owner)
		a.must("revoke", a.server.Revoke(ctx, pass, c))
		a.must("erase", a.server.Erase(ctx, pass, c))
		a.stands(a.server, c, rotation.Absent, "no such role")
	})
}
