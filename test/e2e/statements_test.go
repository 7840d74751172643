package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Every statement that changes something at the server is once held before it gets there, and once after the server has
// run it and before it can say so; the run is killed with SIGKILL then, and the same command goes on. So it goes for the
// way back from the quarantine of the next.
func TestKillInEveryStatement(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loadedWith(25)
	w.report(w.login()) // somebody whose session has to be ended
	proxy, config := w.sqlThrough()
	flags := []string{"--yes", "--soak=0", "--stragglers=terminate", "--via=direct", "--config", config}
	killed := w.killInStatements(proxy, append([]string{"postgres"}, flags...)...)
	w.standby("backend_v2")
	for _, want := range []string{"CREATE ROLE", "DO ", "COMMENT ON ROLE", "SET role TO", "NOLOGIN", "PASSWORD NULL", "pg_terminate_backend", "COMMIT"} {
		if !strings.Contains(killed, want) {
			t.Errorf("rotate: no kill in %q, only in:\n%s", want, killed)
		}
	}
	proxy.set(nil)
	w.rotate(3, append([]string{"postgres", "--again", "--until=revoke"}, flags...)...)
	killed = w.killInStatements(proxy, append([]string{"abort", "postgres"}, flags...)...)
	w.standby("backend_v2")
	for _, want := range []string{`ALTER ROLE "backend_v2" LOGIN`, "NOLOGIN", "DROP ROLE", "COMMIT"} {
		if !strings.Contains(killed, want) {
			t.Errorf("abort: no kill in %q, only in:\n%s", want, killed)
		}
	}
}

// killInStatements runs a command until it ends well, and kills it each time in the first statement in which it was not
// killed yet: before, then after. It gives these statements, one a line.
func (w *world) killInStatements(proxy *sqlProxy, args ...string) (killed string) {
	w.Helper()
	done := map[string]int{}
	for n := 0; n < 200; n++ {
		h, what := newHold(), query{}
		proxy.set(func(q query) meddling {
			if !q.changes() || what.sql != "" || done[q.key()] == 2 {
				return meddling{}
			}
			what = q
			if done[q.key()] == 0 {
				return meddling{before: h}
			}
			return meddling{after: h}
		})
		r, hit := w.start("restricted", args...).killedWhen(h.held)
		if !hit && r.code != 0 {
			w.Fatalf("after %d kills: %s", n, r)
		}
		if !hit {
			w.Logf("%d kills", n)
			return killed
		}
		if done[what.key()]++; done[what.key()] == 2 {
			killed += what.sql + "\n"
		}
		if !w.accepted(w.login()) {
			w.Fatalf("killed in %s: the Secret's login is refused", what.sql)
		}
	}
	w.Fatal("it comes to no end")
	return ""
}

// The connection breaks at every query of a rotation, once before it gets to the server and once before its answer is back.
// Before anything has begun that is an error at once, and the same command goes on; from then on the run mends it itself.
// So it does when the connection stays and the server falls silent.
func TestConnectionLostAtEveryQuery(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loadedWith(25)
	proxy, config := w.sqlThrough()
	done := map[string]int{}
	proxy.set(func(q query) meddling {
		done[q.sql]++
		return meddling{cut: done[q.sql] == 1, lose: done[q.sql] == 2}
	})
	for n := 0; ; n++ {
		begin := time.Now()
		c := w.start("restricted", "postgres", "--yes", "--soak=1s", "--via=direct", "--config", config)
		r := c.ended()
		if took := time.Since(begin); took > 2*time.Minute {
			t.Errorf("run %d took %v", n, took)
		}
		begun := slices.ContainsFunc(c.events, func(e rotation.Event) bool { return e.Step == rotation.StepStage })
		if r.code == 0 {
			t.Logf("%d runs, %d queries lost twice each", n+1, len(done))
			break
		}
		if r.code != 1 || begun || !strings.Contains(r.stderr, "lost") && !strings.Contains(r.stderr, "EOF") {
			t.Fatalf("run %d: want an error about the connection, before anything has begun: %s", n, r)
		}
		if n > 200 {
			t.Fatal("it comes to no end")
		}
	}
	if len(done) < 30 {
		t.Errorf("only %d queries: %v", len(done), done)
	}
	w.standby("backend_v2")
	w.silent(proxy, "postgres", "--yes", "--again", "--soak=1s", "--via=direct", "--config", config)
	w.standby("backend_v3")
}

// silent has the server go silent in the middle of an effect: it is given up after a time, said, and asked again.
func (w *world) silent(proxy *sqlProxy, args ...string) {
	w.Helper()
	h := newHold()
	proxy.set(func(q query) meddling {
		if !strings.HasPrefix(q.sql, "COMMENT ON ROLE") || isClosed(h.held) {
			return meddling{}
		}
		return meddling{before: h}
	})
	begin := time.Now()
	c := w.start("restricted", args...)
	if !c.comesTo(rotation.StepInstall, rotation.Retrying) {
		w.Fatalf("not said: %s", c.ended())
	}
	if took := time.Since(begin); !isClosed(h.held) || took > 90*time.Second {
		w.Errorf("it took %v until it was said", took)
	}
	if r := c.ended(); r.code != 0 {
		w.Errorf("it did not go on by itself: %s", r)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
