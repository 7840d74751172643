package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// The API server is away for 20 seconds in each step: nothing answers, and every connection is cut, those of the tunnels
// too. The run says so, waits, and goes on by itself. Before anything has begun it is an error at once.
func TestAPIServerAway(t *testing.T) {
	long(t)
	alone(t)
	const away = 20 * time.Second
	w := newWorld(t)
	w.loadedWith(25)
	before := w.fingerprint()
	proxy := w.through()
	proxy.shut()
	begin := time.Now()
	r := w.rotate(1, "postgres", "--yes")
	w.says(r, "https://"+proxy.at, "refuses connections", "hint: ")
	if took := time.Since(begin); took > away {
		t.Errorf("it took %v until it said so", took)
	}
	w.unchanged(before)
	proxy.unshut()
	run := w.start("restricted", "postgres", "--yes", "--soak=2s")
	for _, at := range []struct {
		step  string
		state rotation.Phase
	}{
		{rotation.StepStage, rotation.Applying},
		{rotation.StepInstall, rotation.Applying},
		{rotation.StepActivate, rotation.Applying},
		{rotation.StepRollout, rotation.Waiting},
		{rotation.StepDrain, rotation.Waiting},
		{rotation.StepRevoke, rotation.Applying},
		{rotation.StepSoak, rotation.Waiting},
		{rotation.StepRetire, rotation.Applying},
	} {
		if !run.comesTo(at.step, at.state) {
			t.Fatalf("it ended before %s was %s: %s", at.step, at.state, run.ended())
		}
		proxy.shut()
		back := time.After(away)
		if !run.retries() {
			t.Fatalf("away in %s: it does not say that it tries again: %s", at.step, run.ended())
		}
		<-back
		proxy.unshut()
	}
	if r := run.ended(); r.code != 0 {
		t.Errorf("it did not go on by itself: %s", r)
	}
	w.standby("backend_v2")
}

// retries waits until the run says that something could not be reached and that it tries again.
func (r *running) retries() bool {
	for r.next() {
		if r.events[len(r.events)-1].State == rotation.Retrying {
			return true
		}
	}
	return false
}

// A tunnel of the port-forward dies sooner or later, at any point of what is said in it. Before anything has begun that is
// an error, and the same command goes on; from then on the run mends it itself. It never hangs.
func TestTunnelsThatDie(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loadedWith(25)
	proxy := w.through()
	dying := &mortality{}
	proxy.set(faults{tunnel: dying.give})
	for n := 0; ; n++ {
		begin := time.Now()
		c := w.start("restricted", "postgres", "--yes", "--soak=1s")
		r := c.ended()
		if took := time.Since(begin); took > 3*time.Minute {
			t.Errorf("run %d took %v", n, took)
		}
		if r.code == 0 {
			t.Logf("%d runs, %d tunnels", n+1, dying.born.Load())
			break
		}
		begun := slices.ContainsFunc(c.events, func(e rotation.Event) bool { return e.Step == rotation.StepStage })
		if r.code != 1 || begun || !strings.Contains(r.stderr, "lost") {
			t.Fatalf("run %d: want an error about the connection, before anything has begun: %s", n, r)
		}
		if n > 50 {
			t.Fatal("it comes to no end")
		}
	}
	w.standby("backend_v2")
}
