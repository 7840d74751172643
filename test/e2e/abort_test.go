package e2e

import (
	"strings"
	"testing"
)

// A rotation that stopped after each of these steps is taken back under load, to the login of before.
func TestAbort(t *testing.T) {
	alone(t)
	for _, c := range []struct{ name, until string }{
		{"before activate", "install"},
		{"after activate", "activate"},
		{"in the middle of it all", "rollout"},
		{"in quarantine", "revoke"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.loaded()
			before := w.login()
			w.rotate(3, "postgres", "--yes", "--until="+c.until)
			w.rotate(0, "abort", "postgres", "--yes", "--soak=1s")
			if w.login() != before {
				t.Errorf("the login is %s, want %s with its old password", w.login().user, before.user)
			}
			w.standby("backend")
			w.rotate(0, "abort", "postgres", "--yes")
			w.rotate(0, "postgres", "--yes", "--soak=1s")
			w.standby("backend_v3")
		})
	}
}

// While a rotation is being taken back, another cannot begin.
func TestRotateDuringAbort(t *testing.T) {
	w := newWorld(t)
	w.rotate(3, "postgres", "--yes", "--until=activate")
	w.rotate(3, "abort", "postgres", "--yes", "--until=begin")
	r := w.rotate(4, "postgres", "--yes")
	if !strings.Contains(r.stderr, "an abort back to v1 is under way") || !strings.Contains(r.stderr, "kubectl rotate abort") {
		t.Errorf("not said clearly: %s", r)
	}
	w.rotate(0, "abort", "postgres", "--yes", "--soak=1s")
	w.standby("backend")
}
