package e2e

import (
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// One rotation, killed with SIGKILL at every boundary of a step: as soon as it begins to apply one, waits for it, and
// has seen it done. Each time the same command goes on. It ends as if nothing had happened.
func TestKillAtEveryStepBoundary(t *testing.T) {
	alone(t)
	w := newWorld(t)
	w.loaded()
	kills := 0
	for _, at := range []struct {
		step   string
		states []rotation.Phase
	}{
		{rotation.StepBegin, []rotation.Phase{rotation.Applying, rotation.Done}},
		{rotation.StepStage, []rotation.Phase{rotation.Applying, rotation.Done}},
		{rotation.StepInstall, []rotation.Phase{rotation.Applying, rotation.Done}},
		{rotation.StepActivate, []rotation.Phase{rotation.Applying, rotation.Done}},
		{rotation.StepRollout, []rotation.Phase{rotation.Applying, rotation.Waiting, rotation.Done}},
		{rotation.StepDrain, []rotation.Phase{rotation.Waiting, rotation.Done}},
		{rotation.StepRevoke, []rotation.Phase{rotation.Applying, rotation.Done}},
		{rotation.StepSoak, []rotation.Phase{rotation.Waiting, rotation.Done}},
		{rotation.StepRetire, []rotation.Phase{rotation.Applying, rotation.Done}},
	} {
		for _, state := range at.states {
			if !w.killAt(at.step, state) {
				t.Fatalf("the rotation came to its end before %s was %s", at.step, state)
			}
			kills++
			if !w.accepted(w.login()) {
				t.Fatalf("killed at %s %s: the Secret's login %s is refused", at.step, state, w.login().user)
			}
		}
	}
	w.rotate(0, "postgres", "--yes", "--soak=0")
	w.standby("backend_v2")
	t.Logf("%d kills", kills)
}

// killAt runs the rotation until an event about step says state, and kills it then; false if it ended before.
func (w *world) killAt(step string, state rotation.Phase) bool {
	w.Helper()
	r := w.start("restricted", "postgres", "--yes", "--soak=30s")
	hit := r.comesTo(step, state)
	r.killed()
	return hit
}
