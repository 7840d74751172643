package e2e

import (
	"fmt"
	"testing"
)

// Twenty rotations in a row, while 200 requests come in every second, lose none of them.
//
// It takes longest, and its file comes first: so it begins first, and the others go on beside it.
func TestTwentyRotationsUnderLoad(t *testing.T) {
	w := newWorld(t)
	run := w.loadedWith(200)
	old := w.login()
	for n := 2; n <= 21; n++ {
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
	if rate := run.Snapshot().Rate; rate < 190 {
		t.Errorf("only %.0f requests a second were sent", rate)
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
