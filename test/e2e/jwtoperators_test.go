package e2e

import (
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A second operator is refused while one rotates signing keys. The answer to a leak is not: it takes over at once, and the first
// one is told. One that sleeps meanwhile changes nothing when it wakes up.
func TestTwoOperatorsOfSigningKeys(t *testing.T) {
	long(t)
	w, config := signing(t, 2*time.Minute)
	name, value := w.signingKey()
	first := w.start("restricted", "jwt", config, "--yes")
	if !first.comesTo(rotation.StepRollout, rotation.Waiting) {
		t.Fatalf("it ended before its rollout: %s", first.ended())
	}
	w.says(w.rotate(4, "jwt", config, "--yes"), "has been rotating jwt since ", "kubectl rotate abort jwt")
	pending, key := w.signingKey()
	w.must("stopping it", first.Process.Signal(syscall.SIGSTOP))
	w.says(w.rotate(0, "emergency-jwt", config, "--yes"), "taking over from restricted on ", "that run ends by itself")
	before := w.fingerprint()
	w.must("waking it", first.Process.Signal(syscall.SIGCONT))
	r := first.ended()
	if r.code != 1 {
		t.Errorf("the first operator: %s", r)
	}
	w.says(r, "superseded by another decision")
	w.unchanged(before)
	for name, value := range map[string][]byte{name: value, pending: key} {
		w.refusedEverywhere(name, value)
		w.erased(value)
	}
}

// Two operators answer to the same leak at once: both work for the one decision, and both come to its end.
func TestTwoAnswersToOneLeak(t *testing.T) {
	long(t)
	w, config := signing(t, time.Minute)
	name, value := w.signingKey()
	first := w.start("restricted", "emergency-jwt", config, "--yes")
	if !first.comesTo(rotation.StepRollout, rotation.Waiting) {
		t.Fatalf("it ended before its rollout: %s", first.ended())
	}
	second := w.as("admin", "emergency-jwt", config, "--yes", "--cut")
	if second.code != 0 {
		t.Errorf("the second operator: %s", second)
	}
	if r := first.ended(); r.code != 0 {
		t.Errorf("the first operator: %s", r)
	}
	if now, _ := w.signingKey(); now != "jwt-secret-v2" {
		t.Errorf("the key in use is %s, want jwt-secret-v2: it was one leak", now)
	}
	w.refusedEverywhere(name, value)
	w.erased(value)
}
