package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres/postgrestest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// tries comes in as a login, by a path, and wants to be turned away.
func (a *app) tries(c rotation.Credential, from string) {
	a.t.Helper()
	s := a.via(from)
	conn, err := s.connect(context.Background(), s.Nodes[0], who{user: c.ID, password: c.Value, database: a.database})
	if err == nil {
		_ = conn.Close(context.Background())
		a.t.Errorf("%s got in by %s", c.ID, from)
	}
}

// turnedAway are the refusals of a login in the log, by address.
func (a *app) turnedAway(logins ...string) map[string]int {
	a.t.Helper()
	found := map[string]int{}
	for line := range strings.SplitSeq(a.log(), "\n") {
		if login, address, ok := RefusalIn(line, logins); ok {
			found[login+" from "+address]++
		}
	}
	return found
}

// Whoever tries a login that is refused stands in the server's log: with the old password or another, where passwords are
// checked and where not, and when the role is gone. What somebody only writes into a statement does not count.
func TestRefusalsStandInTheServersLog(t *testing.T) {
	onVersions(t, []string{"18"}, func(t *testing.T, version string) {
		a := appOn(t, version)
		ctx := context.Background()
		a.current = a.next() // the one that will be dropped
		old := a.current
		c, err := a.server.Generate(ctx, 3, old)
		a.must("generate", err)
		a.must("install", a.server.Install(ctx, pass, c))
		a.must("revoke", a.server.Revoke(ctx, pass, old))
		a.stands(a.server, old, rotation.Quarantined, "NOLOGIN") // our own look is no try
		conn := a.opened(c)
		if _, err := conn.Exec(ctx, `SELECT 1 AS "FATAL:  role ""`+old.ID+`"" is not permitted to log in"`, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Error(err)
		}
		if got := a.turnedAway(old.ID); len(got) != 0 {
			t.Errorf("nobody has tried yet: %v", got)
		}
		a.tries(old, viaScram)
		a.tries(old, viaTrust)
		a.tries(wrongly(old), viaMD5)
		a.must("erase", a.server.Erase(ctx, pass, old))
		a.tries(old, viaScram)
		a.tries(old, viaTrust)
		want := map[string]int{old.ID + " from " + viaScram: 2, old.ID + " from " + viaTrust: 2, old.ID + " from " + viaMD5: 1}
		if diff := cmp.Diff(want, a.turnedAway(c.ID, old.ID)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestRefusalInALine(t *testing.T) {
	for line, want := range map[string]string{
		`FATAL:  role "app" is not permitted to log in`:                                                                                                  "app from ",
		`2026-03-01 12:00:00 UTC [7] FATAL:  password authentication failed for user "app"`:                                                              "app from ",
		`2026-03-01 12:00:00 UTC [7]: [2-1] user=app,host=fd00::7(5123) FATAL:  role "app" does not exist`:                                               "app from fd00::7",
		`10.0.0.7(41234) FATAL:  role "app" is not permitted to log in`:                                                                                  "app from 10.0.0.7",
		`FATAL:  role "app_v2" is not permitted to log in`:                                                                                               "",
		`LOG:  statement: SELECT 'FATAL:  role "app" is not permitted to log in`:                                                                         "",
		`FATAL:  role "app" is not permitted to log in by the way`:                                                                                       "",
		`ERROR:  role "app" does not exist`:                                                                                                              "",
		`{"ts":"2026-03-01","record":{"connection_from":"10.0.0.9:51666","error_severity":"FATAL","message":"role \"app\" is not permitted to log in"}}`: "app from 10.0.0.9",
		`{"record":{"error_severity":"LOG","message":"role \"app\" is not permitted to log in"}}`:                                                        "",
	} {
		got := ""
		if login, address, ok := RefusalIn(line, []string{"other", "app"}); ok {
			got = login + " from " + address
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// A server that does not write it where its pod's log is, or not in these words, is known.
func TestUnlogged(t *testing.T) {
	a := newApp(t)
	if why, err := a.server.Unlogged(context.Background()); why != "" || err != nil {
		t.Errorf("%q, %v: want nothing to hide it", why, err)
	}
	collecting := postgrestest.For(t, postgrestest.Config{Settings: map[string]string{"logging_collector": "on"}})
	s := &Server{
		Nodes: []Node{{Name: "pg-0", Host: "127.0.0.1", Port: uint16(collecting.Port)}},
		Admin: Admin{User: postgrestest.User, Password: rotation.NewSecret([]byte(collecting.Password))},
	}
	defer s.Close()
	if why, err := s.Unlogged(context.Background()); why != "pg-0 logs to files of its own (logging_collector)" || err != nil {
		t.Errorf("%q, %v", why, err)
	}
	for l, want := range map[logging]string{
		{Least: "panic"}:                        "log_min_messages",
		{Least: "warning", Lang: "de_DE.UTF-8"}: "another language",
		{Least: "fatal", Lang: "en_GB.UTF-8"}:   "",
		{Least: "warning", Lang: "C.UTF-8"}:     "",
		{Least: "warning"}:                      "",
	} {
		if got := l.hides(); want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%+v: %q, want %q", l, got, want)
		}
	}
}
