package e2e

import (
	"strings"
	"testing"
)

// A login that owns nothing is rotated by a clone, under load, and the next by a clone of that; half way one is taken back. No
// request fails. Where the login owns something, it is refused and said what to do.
func TestClone(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	config := w.configured("strategy: clone")
	before := w.fingerprint()
	r := w.rotate(4, "postgres", "--yes", config)
	if !strings.Contains(r.stderr, "a clone does not take over what depends on backend") || !strings.Contains(r.stderr, "choose the strategy alternate") {
		t.Errorf("not said clearly: %s", r)
	}
	w.unchanged(before)

	w.disowned()
	w.loaded()
	old := w.login()
	r = w.rotate(0, "postgres", "--yes", "--soak=1s", config)
	for _, promise := range []string{"belongs to the login that made it", "is copied when it is looked at again", "are not changed"} {
		if !strings.Contains(r.stderr, promise) {
			t.Errorf("no word of %q: %s", promise, r)
		}
	}
	if w.accepted(old) {
		t.Error("the old login still gets in")
	}
	w.standby("backend_v2")

	w.rotate(3, "postgres", "--yes", "--again", "--until=revoke", config)
	w.rotate(0, "abort", "postgres", "--yes", "--soak=1s")
	w.standby("backend_v2")
	w.rotate(0, "postgres", "--yes", "--again", "--soak=1s", config)
	w.standby("backend_v4")
}

// disowned gives all that the application's login owns to a role that cannot log in, and grants it what it needs.
func (w *world) disowned() {
	w.Helper()
	w.superuser(`CREATE ROLE platform_owner`)
	for database, grants := range map[string][]string{
		"demo-platform": {
			`GRANT SELECT, INSERT ON items, recent_items TO backend`, `GRANT USAGE ON SEQUENCE items_id_seq TO backend`,
			`REVOKE ALL ON FUNCTION take_ticket() FROM PUBLIC`, `GRANT EXECUTE ON FUNCTION take_ticket() TO backend`,
			`GRANT CONNECT ON DATABASE "demo-platform" TO backend`, `REVOKE CONNECT ON DATABASE "demo-platform" FROM PUBLIC`,
		},
		"Audit-Log": {`GRANT SELECT, INSERT ON audit TO backend`, `GRANT USAGE ON SEQUENCE audit_id_seq TO backend`},
	} {
		conn := w.admin(database)
		for _, statement := range append([]string{`REASSIGN OWNED BY backend TO platform_owner`}, grants...) {
			_, err := conn.Exec(w.ctx, statement)
			w.must(statement, err)
		}
		w.must("closing", conn.Close(w.ctx))
	}
}
