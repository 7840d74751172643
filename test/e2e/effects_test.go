package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Every request of a rotation that changes something is once held before it is sent on, and once after the API server has
// done it and before the answer is given back; the run is killed with SIGKILL then, and the same command goes on. So it
// goes for the way back from the middle of the next.
func TestKillInEveryRequest(t *testing.T) {
	long(t)
	alone(t)
	const app, record = "PATCH secrets/postgresql-credentials", "PATCH secrets/postgresql-credentials-rotate"
	w := newWorld(t)
	w.loadedWith(25)
	killed := w.killInRequests("postgres", "--yes", "--soak=0")
	w.standby("backend_v2")
	w.killedIn(killed, "POST leases", "PUT leases/postgresql-credentials-rotate",
		"POST secrets", app, record, record, // begin, and both values
		app, "PATCH deployments/backend", app, // activate, rollout, the mark of the quarantine
		app, record) // the tombstone, and the value
	w.rotate(3, "postgres", "--yes", "--again", "--until=rollout")
	killed = w.killInRequests("abort", "postgres", "--yes", "--soak=0")
	w.standby("backend_v2")
	w.killedIn(killed, "PUT leases/postgresql-credentials-rotate", app, app, "PATCH deployments/backend", app, app, record)
}

// killedIn wants the requests that runs were killed in to be these, and in this order.
func (w *world) killedIn(killed []string, want ...string) {
	w.Helper()
	if diff := cmp.Diff(want, killed); diff != "" {
		w.Errorf("not killed in what changes something (-want +got):\n%s", diff)
	}
}

// killInRequests runs a command again and again until it ends well, and kills it in the first thing it changes: before it
// is sent, and the next time, since it is still the first, when it is done and the answer is on its way. It gives what was
// done. A Lease is taken by every run: after two kills in each of its requests it is left alone.
func (w *world) killInRequests(args ...string) (done []string) {
	w.Helper()
	return w.killedInEach(func(what string) {
		if !w.accepted(w.login()) {
			w.Fatalf("killed in %s: the Secret's login is refused", what)
		}
	}, args...)
}

// killedInEach is killInRequests with what has to be after each kill.
func (w *world) killedInEach(sound func(what string), args ...string) (done []string) {
	w.Helper()
	proxy := w.through()
	defer proxy.set(faults{})
	for n := 0; n < 100; n++ {
		h, what := newHold(), ""
		first := func(r *http.Request) *hold {
			if !changes(r) || slices.Contains(done, change(r)) && strings.Contains(r.URL.Path, "/leases") {
				return nil
			}
			what = change(r)
			return h
		}
		if n%2 == 0 {
			proxy.set(faults{before: first})
		} else {
			proxy.set(faults{after: first})
		}
		r, killed := w.start("restricted", args...).killedWhen(h.held)
		if !killed && r.code != 0 {
			w.Fatalf("after %d kills: %s", n, r)
		}
		if !killed {
			w.Logf("%d kills", n)
			return done
		}
		sound(what)
		if n%2 == 1 {
			done = append(done, what)
		}
	}
	w.Fatal("it comes to no end")
	return nil
}
