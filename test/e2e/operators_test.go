package e2e

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// While one operator rotates, a second is refused, and told who it is, where, since when, and what to do. Ctrl-C gives the
// target back at once. After a kill -9 the same command takes it over at once.
func TestTwoOperators(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loadedWith(25)
	first := w.start("restricted", "postgres", "--yes", "--soak=1s")
	if !first.comesTo(rotation.StepRollout, rotation.Waiting) {
		t.Fatalf("it ended before its rollout: %s", first.ended())
	}
	host, err := os.Hostname()
	w.must("asking for the host's name", err)
	second := w.rotate(4, "postgres", "--yes")
	w.says(second, fmt.Sprintf("restricted on %s, pid %d has been rotating postgres since ", host, first.Process.Pid),
		"kubectl rotate status postgres", "kubectl rotate abort postgres")
	w.must("interrupting", first.Process.Signal(os.Interrupt))
	if r := first.ended(); r.code != 130 {
		t.Errorf("interrupted: %s", r)
	}
	if holder := w.lease().Spec.HolderIdentity; holder != nil {
		t.Errorf("after Ctrl-C %s still has the Lease", *holder)
	}
	third := w.start("restricted", "postgres", "--yes", "--soak=1s")
	third.comesTo(rotation.StepDrain, rotation.Waiting)
	third.killed()
	if strings.Contains(third.stderr.String(), "taking over") {
		t.Errorf("it took over from somebody: %s", third.stderr.String())
	}
	begin := time.Now()
	last := w.rotate(0, "postgres", "--yes", "--soak=1s")
	w.says(last, fmt.Sprintf("taking over from restricted on %s, pid %d: that process has ended", host, third.Process.Pid))
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	w.standby("backend_v2")
}

// Somebody on another host may be dead: the run waits for a sign of life, counts down, and goes on. Who gives one is not
// disturbed.
func TestOperatorOnAnotherHost(t *testing.T) {
	long(t)
	w := newWorld(t)
	w.held("alice on laptop, pid 4711", 8)
	if r := w.rotate(0, "status", "-o", "wide"); !strings.Contains(r.stdout, "alice on laptop, pid 4711") {
		t.Errorf("who is at it is not shown: %s", r)
	}
	w.says(w.rotate(4, "postgres", "--yes", "--wait=false"), "alice on laptop, pid 4711 has been at work on postgres since ")
	w.says(w.rotate(0, "postgres", "--yes", "--soak=0"),
		"alice on laptop, pid 4711 has the lease of postgres, and is on another host: waiting for a sign of life; it runs out in ",
		"taking over from alice on laptop, pid 4711: not heard of since ")
	w.standby("backend_v2")
}

// One operator stalls, another aborts, the first wakes up: it ends, says why, and changes nothing, wherever it was.
func TestStalledOperator(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loadedWith(25)
	for _, at := range []struct {
		step  string
		state rotation.Phase
	}{
		{rotation.StepInstall, rotation.Applying},
		{rotation.StepActivate, rotation.Applying},
		{rotation.StepRollout, rotation.Waiting},
		{rotation.StepSoak, rotation.Waiting},
	} {
		stalled := w.start("restricted", "postgres", "--yes", "--soak=30s")
		if !stalled.comesTo(at.step, at.state) {
			t.Fatalf("it ended before %s was %s: %s", at.step, at.state, stalled.ended())
		}
		w.must("stopping it", stalled.Process.Signal(syscall.SIGSTOP))
		r := w.rotate(0, "abort", "postgres", "--yes", "--soak=1s")
		w.says(r, "taking over from restricted on ", "who was rotating postgres: that run ends by itself")
		w.standby("backend")
		before := w.fingerprint()
		w.must("waking it", stalled.Process.Signal(syscall.SIGCONT))
		if r = stalled.ended(); r.code != 1 {
			t.Errorf("stalled at %s: want exit code 1: %s", at.step, r)
		}
		w.says(r, "superseded by another decision")
		w.unchanged(before)
	}
}

// says wants each of these in what a run said to its operator.
func (w *world) says(r result, wanted ...string) {
	w.Helper()
	for _, want := range wanted {
		if !strings.Contains(r.stderr, want) {
			w.Errorf("no word of %q: %s", want, r)
		}
	}
}

// lease is the target's.
func (w *world) lease() *coordinationv1.Lease {
	w.Helper()
	l, err := w.kube.CoordinationV1().Leases(w.ns).Get(w.ctx, "postgresql-credentials-rotate", metav1.GetOptions{})
	w.must("reading the Lease", err)
	return l
}

// held gives the Lease to somebody who has just been heard of.
func (w *world) held(holder string, seconds int32) {
	w.Helper()
	now := metav1.NowMicro()
	_, err := w.kube.CoordinationV1().Leases(w.ns).Create(w.ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: "postgresql-credentials-rotate"},
		Spec:       coordinationv1.LeaseSpec{HolderIdentity: &holder, AcquireTime: &now, RenewTime: &now, LeaseDurationSeconds: &seconds},
	}, metav1.CreateOptions{})
	w.must("creating the Lease", err)
}
