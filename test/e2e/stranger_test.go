package e2e

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// A client that is no known pod keeps the old login from being refused: it is named by its address and by what it calls
// itself, and the run stays under way. --stragglers=terminate ends its session at the revoke.
func TestStrangerOnTheOldLogin(t *testing.T) {
	alone(t)
	w := newWorld(t)
	w.loaded()
	old := w.login()
	conn := w.report(old)
	w.waits([]string{"drain       waiting", "(monthly-report)"}, "postgres", "--yes", "--soak=1s")
	if !w.accepted(old) {
		t.Errorf("the old login is refused while somebody uses it")
	}
	if _, err := conn.Exec(w.ctx, "SELECT 1"); err != nil {
		t.Errorf("the client lost its session without consent: %v", err)
	}
	w.rotate(0, "postgres", "--yes", "--soak=1s", "--stragglers=terminate")
	if _, err := conn.Exec(w.ctx, "SELECT 1"); err == nil {
		t.Error("the client still has its session on a login that is gone")
	}
	w.standby("backend_v2")
}

// report opens a session as something outside the cluster would.
func (w *world) report(l login) *pgx.Conn {
	w.Helper()
	config, err := pgx.ParseConfig("postgres://" + w.platform.PostgreSQL + "/demo-platform?sslmode=disable&application_name=monthly-report")
	w.must("parsing", err)
	config.User, config.Password = l.user, l.password
	conn, err := pgx.ConnectConfig(w.ctx, config)
	w.must("connecting", err)
	w.Cleanup(func() { _ = conn.Close(context.WithoutCancel(w.ctx)) })
	return conn
}
