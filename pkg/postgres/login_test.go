package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func wrongly(c rotation.Credential) rotation.Credential {
	c.Value = rotation.NewSecret([]byte("not the password of this login"))
	return c
}

// failures counts the logins that the server refused, by its log.
func (a *app) failures(login string) int {
	a.t.Helper()
	return strings.Count(a.log(), fmt.Sprintf(`password authentication failed for user "%s"`, login))
}

func TestScramPathProvesByLoginAndLeavesNoFailedOne(t *testing.T) {
	a := newApp(t)
	c := a.next()
	a.stands(a.server, c, rotation.Accepts, "login as "+c.ID+", acting as "+a.owner)
	a.stands(a.server, a.current, rotation.Accepts, "login as "+a.owner)
	if n := a.failures(c.ID) + a.failures(a.owner); n != 0 {
		t.Errorf("the server logged %d failed logins: they look like an attack", n)
	}
	a.stands(a.server, wrongly(c), rotation.Altered, "another password")
}

// The official image trusts loopback, and a port-forward arrives from there: any password gets in.
func TestTrustedPathProvesNothingSoTheVerifierIsCompared(t *testing.T) {
	a := newApp(t)
	c := a.next()
	trusted := a.via(viaTrust)
	a.stands(trusted, c, rotation.Accepts, "stored verifier fits; this path does not check passwords")
	a.stands(trusted, wrongly(c), rotation.Altered, "another password is stored")
}

func TestTrustedPathWithoutAReadableVerifierIsUnproven(t *testing.T) {
	a := newApp(t)
	c := a.next()
	trusted := a.via(viaTrust)
	trusted.Admin = a.limitedAdmin("", a.owner, c.ID)
	a.stands(trusted, c, rotation.Unproven, "may not be read")
	asked := a.via(viaScram)
	asked.Admin = trusted.Admin
	a.stands(asked, c, rotation.Accepts, "login as")
	a.stands(asked, wrongly(c), rotation.Altered, "another password")
}

// By MD5 and in clear text a password is sent only where that is allowed; else the catalogue decides, and in clear text that may not be
// what the server goes by.
func TestMD5AndPlainPathsProveByRefusingAWrongPassword(t *testing.T) {
	a := newApp(t)
	old := a.current
	a.sql("postgres", "SET password_encryption = md5",
		fmt.Sprintf("SET password_encryption = md5; ALTER ROLE %s PASSWORD %s", ident(old.ID), literal(string(old.Value.Reveal()))))
	a.stands(a.via(viaMD5), old, rotation.Accepts, "stored verifier fits; the server asks for the password by md5")
	a.stands(a.via(viaPlain), old, rotation.Unproven, "stored verifier fits; the server asks for the password in clear text, which is not allowed")
	for _, path := range []string{viaMD5, viaPlain} {
		a.stands(a.via(path), wrongly(old), rotation.Altered, "another password")
		s := a.via(path)
		s.Auth, s.TLS = AuthPassword, TLS{Mode: TLSVerifyCA, RootCAs: authority}
		a.stands(s, old, rotation.Accepts, "a wrong password was refused")
		a.stands(s, wrongly(old), rotation.Altered, "another password")
	}
	a.stands(a.via(viaTrust), old, rotation.Accepts, "stored verifier fits")
}

func TestMembershipThatDoesNotAllowSetRoleIsCaught(t *testing.T) {
	a := newApp(t)
	c := a.next()
	a.sql("postgres", fmt.Sprintf("REVOKE %s FROM %s", ident(a.owner), ident(c.ID)))
	if a.major() >= 16 {
		a.sql("postgres", fmt.Sprintf("GRANT %s TO %s WITH SET FALSE", ident(a.owner), ident(c.ID)))
	}
	a.sql("postgres", fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", ident(a.database), ident(c.ID)))
	a.stands(a.server, c, rotation.Altered, fmt.Sprintf("acts as %q instead of %q", c.ID, a.owner))
	a.must("install again", a.server.Install(context.Background(), pass, c))
	a.stands(a.server, c, rotation.Accepts, "acting as "+a.owner)
}

// A line of pg_hba.conf that names the old login does not match the new one, and a login from elsewhere does not notice.
func TestPgHbaThatNamesTheOldLoginIsADoubt(t *testing.T) {
	a := namedApp(t, "named")
	c := a.next()
	a.stands(a.server, c, rotation.Unproven, "names named, not named_v2")
	a.stands(a.server, a.current, rotation.Accepts, "login as named")
	notes, err := a.server.Preflight(context.Background(), a.current)
	a.must("preflight", err)
	if !strings.Contains(strings.Join(notes, "\n"), "name the group +named there instead") {
		t.Errorf("the notes are %q", notes)
	}
}

func TestPgHbaThatNamesTheGroupIsNone(t *testing.T) {
	a := namedApp(t, "grouped")
	c := a.next()
	for _, path := range []string{viaScram, viaNamed} {
		a.stands(a.via(path), c, rotation.Accepts, "login as grouped_v2")
	}
}

func TestClosedPathIsUnproven(t *testing.T) {
	a := newApp(t)
	c := a.next()
	a.stands(a.via(viaClosed), c, rotation.Unproven, "no pg_hba.conf entry")
}

func TestFullServerIsJudgedByTheCatalogue(t *testing.T) {
	a := newApp(t)
	c := a.next()
	a.sql("postgres", fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT 1", ident(c.ID)))
	a.opened(c)
	a.stands(a.server, c, rotation.Accepts, "stored verifier fits; no connection is free")
}

func TestDatabaseThatIsNotUsedIsNotAPlace(t *testing.T) {
	a := newApp(t)
	extra := a.database + " 2"
	a.sql("postgres", "CREATE DATABASE "+ident(extra), "CREATE DATABASE "+ident(extra+" closed"),
		fmt.Sprintf("REVOKE CONNECT ON DATABASE %s FROM PUBLIC", ident(extra+" closed")))
	t.Cleanup(func() { a.sql("postgres", "DROP DATABASE "+ident(extra), "DROP DATABASE "+ident(extra+" closed")) })
	want := map[string]string{"pg-0/" + a.database: "at first"}
	a.places(want)
	a.sql(extra, fmt.Sprintf("CREATE TABLE t (); GRANT SELECT ON t TO %s", ident(a.owner)))
	want["pg-0/"+extra] = "with a grant"
	a.places(want)
}

func (a *app) places(want map[string]string) {
	a.t.Helper()
	places, err := a.server.Standing(context.Background(), a.current)
	a.must("standing", err)
	for _, p := range places {
		if want[p.Where] == "" || p.Status != rotation.Accepts {
			a.t.Errorf("%s: %s (%s), want %v", p.Where, p.Status, p.Proof, want)
		}
	}
	if len(places) != len(want) {
		a.t.Errorf("%d places, want %v", len(places), want)
	}
}

func TestExpiredPasswordIsMended(t *testing.T) {
	a := newApp(t)
	c := a.next()
	a.sql("postgres", fmt.Sprintf("ALTER ROLE %s VALID UNTIL '2001-01-01'", ident(c.ID)))
	a.stands(a.server, c, rotation.Altered, "expired")
	a.must("install again", a.server.Install(context.Background(), pass, c))
	a.stands(a.server, c, rotation.Accepts, "login as")
}

func TestStandingEndsWithItsContext(t *testing.T) {
	a := newApp(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := a.server.Standing(ctx, a.current); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's error", err)
	}
}
