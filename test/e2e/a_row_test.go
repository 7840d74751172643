package e2e

import (
	"fmt"
	"os"
	"testing"
)

// Rotations in a row, while 200 requests come in every second, lose none of them: five, and twenty in the soak.
func TestRotationsUnderLoad(t *testing.T) {
	alone(t)
	rounds := 5
	if os.Getenv(soakVariable) != "" {
		rounds = 20
	}
	w := newWorld(t)
	run := w.loadedWith(200)
	old := w.login()
	for n := 2; n <= rounds+1; n++ {
		w.rotate(0, "postgres", "--yes", "--soak=0", "--again")
		if w.accepted(old) {
			t.Fatalf("rotation %d: the old login %s still gets in", n-1, old.user)
		}
		w.standby(fmt.Sprintf("backend_v%d", n))
		old = w.login()
		if s := run.Snapshot(); s.Failed > 0 {
			t.Fatalf("rotation %d: %d requests failed: %v", n-1, s.Failed, s.Failures)
		}
	}
}

// A rotation that finished just now is the one that is asked for: a rerun changes nothing.
func TestRunAgainAfterTheEnd(t *testing.T) {
	w := newWorld(t)
	w.rotate(0, "postgres", "--yes", "--soak=0")
	before := w.fingerprint()
	w.rotate(0, "postgres", "--yes", "--soak=0")
	w.unchanged(before)
	w.rotate(0, "abort", "postgres", "--yes")
	w.unchanged(before)
	w.standby("backend_v2")
}
