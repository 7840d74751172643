package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
)

// thief is somebody who has an application's login at PostgreSQL, and whatever sessions of it he opens.
type thief struct {
	w   *world
	old login
}

// session opens a session that calls itself name; nil where the server has none left.
func (t thief) session(database, name string) *pgx.Conn {
	t.w.Helper()
	config, err := pgx.ParseConfig("postgres://" + t.w.platform.PostgreSQL + "/?sslmode=disable")
	t.w.must("parsing", err)
	config.User, config.Password, config.Database = t.old.user, t.old.password, database
	config.RuntimeParams["application_name"] = name
	conn, err := pgx.ConnectConfig(t.w.ctx, config)
	if err != nil {
		return nil
	}
	t.w.Cleanup(func() { _ = conn.Close(context.WithoutCancel(t.w.ctx)) })
	return conn
}

// does runs statements in a session of its own, which stays.
func (t thief) does(database string, statements ...string) {
	t.w.Helper()
	conn := t.session(database, "kubectl-rotate")
	if conn == nil {
		t.w.Fatal("the thief does not get in")
	}
	for _, statement := range statements {
		_, err := conn.Exec(t.w.ctx, statement)
		t.w.must(statement, err)
	}
}

// The answer to a leak ends every session of the thief, whatever it calls itself, and whatever he does with the login to prevent it.
func TestThiefOfALoginCannotStopItsReplacement(t *testing.T) {
	tricks := map[string]func(thief){
		"the lock":         func(t thief) { t.does("postgres", "SELECT pg_advisory_lock(7743203322184561761)") },
		"another password": func(t thief) { t.does("demo-platform", "ALTER ROLE CURRENT_USER PASSWORD 'mine'") },
		"SET role in one database": func(t thief) {
			t.does("demo-platform", `ALTER ROLE CURRENT_USER IN DATABASE "demo-platform" SET role TO backend`)
		},
		"the role, locked": func(t thief) { t.does("demo-platform", "BEGIN", "ALTER ROLE CURRENT_USER SET work_mem TO '5MB'") },
		"all connections": func(t thief) {
			for t.session("demo-platform", "kubectl-rotate") != nil {
			}
		},
	}
	t.Run("all but connections", func(t *testing.T) {
		w := newWorld(t)
		robbed := thief{w, w.login()}
		for _, trick := range []string{"the lock", "SET role in one database", "the role, locked"} {
			tricks[trick](robbed)
		}
		w.replacesLogin(robbed)
	})
	for name, trick := range tricks {
		t.Run(name, func(t *testing.T) {
			long(t)
			w := newWorld(t)
			robbed := thief{w, w.login()}
			trick(robbed)
			w.replacesLogin(robbed)
		})
	}
	t.Run("an object, where logins are cloned", func(t *testing.T) {
		long(t)
		w := newWorld(t)
		w.disowned()
		robbed := thief{w, w.login()}
		w.superuser(`GRANT CREATE ON DATABASE "demo-platform" TO backend`)
		robbed.does("demo-platform", "CREATE SCHEMA mine", "CREATE TABLE mine.loot (n int)")
		w.replacesLogin(robbed, w.configured("strategy: clone"))
	})
}

// replacesLogin wants the answer to a leak to end in success, with nothing left of the thief.
func (w *world) replacesLogin(robbed thief, args ...string) {
	w.Helper()
	held := map[string]*pgx.Conn{}
	for _, name := range []string{"kubectl-rotate", "", "backend", "psql"} {
		if conn := robbed.session("demo-platform", name); conn != nil {
			held[name] = conn
		}
	}
	w.rotate(0, append([]string{"postgres", "--compromised", "--yes"}, args...)...)
	for name, conn := range held {
		if err := conn.Ping(w.ctx); err == nil {
			w.Errorf("the session called %q goes on", name)
		}
	}
	if w.accepted(robbed.old) {
		w.Errorf("%s still gets in", robbed.old.user)
	}
	admin := w.admin("postgres")
	defer admin.Close(w.ctx)
	var left int
	w.must("counting sessions", admin.QueryRow(w.ctx, fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE usename = '%s'", robbed.old.user)).Scan(&left))
	if left > 0 {
		w.Errorf("%s has %d sessions", robbed.old.user, left)
	}
	w.calm()
}
