package e2e

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// attacker mints tokens with a stolen key, and shows one to every pod there is every 20 ms.
type attacker struct {
	w    *world
	mint func() string // a token of the stolen key
	stop context.CancelFunc
	all  sync.WaitGroup
	mu   sync.Mutex
	last time.Time // when a token of his was last accepted
}

// attacked has somebody use a stolen secret, and returns once he has got in.
func (w *world) attacked(name string, value []byte) *attacker {
	w.Helper()
	return w.attackedWith(func() string { return forge(name, value) })
}

// attackedWith is attacked with whatever mints the tokens.
func (w *world) attackedWith(mint func() string) *attacker {
	w.Helper()
	ctx, stop := context.WithCancel(w.ctx)
	a := &attacker{w: w, mint: mint, stop: stop}
	w.Cleanup(func() { stop(); a.all.Wait() })
	a.all.Go(func() {
		known := map[string]bool{}
		for ctx.Err() == nil {
			list, err := w.kube.CoreV1().Pods(w.ns).List(ctx, metav1.ListOptions{LabelSelector: "app=backend"})
			if err != nil {
				continue
			}
			for _, p := range list.Items {
				if ip := p.Status.PodIP; ip != "" && !known[string(p.UID)] {
					known[string(p.UID)] = true
					a.all.Go(func() { a.tries(ctx, ip) })
				}
			}
			tick(ctx, 100*time.Millisecond)
		}
	})
	w.until("the attacker gets in", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return !a.last.IsZero() })
	return a
}

func tick(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (a *attacker) tries(ctx context.Context, ip string) {
	for ctx.Err() == nil {
		if answers(ctx, ip, a.mint()) == http.StatusOK {
			a.mu.Lock()
			a.last = time.Now()
			a.mu.Unlock()
		}
		tick(ctx, 20*time.Millisecond)
	}
}

// lastSuccess ends the attack, and is when he got in for the last time.
func (a *attacker) lastSuccess() time.Time {
	a.stop()
	a.all.Wait()
	return a.last
}

// safeAt is when, by the report of a run, the last pod that accepted the old key had ended.
func safeAt(t *testing.T, r result) time.Time {
	t.Helper()
	for line := range strings.Lines(r.stdout) {
		var e struct {
			Step, State, Note string
			Time              time.Time
		}
		if json.Unmarshal([]byte(line), &e) != nil || e.Step != "rollout" || e.State != "done" {
			continue
		}
		_, rest, ok := strings.Cut(e.Note, "had ended within ")
		_, rest, _ = strings.Cut(rest, "at ")
		if len(rest) < 8 || !ok {
			t.Fatalf("no time in %q", e.Note)
		}
		at, err := time.Parse(time.DateOnly+" "+time.TimeOnly, e.Time.UTC().Format(time.DateOnly)+" "+rest[:8])
		if err != nil {
			t.Fatal(err)
		}
		if at.After(e.Time.Add(time.Hour)) { // it is past midnight since
			at = at.AddDate(0, 0, -1)
		}
		return at
	}
	t.Fatalf("no report: %s", r)
	return time.Time{}
}

// latest is how much later than the attacker's last success a run may report that it is safe: kubelets and the report count
// whole seconds, and round up.
const latest = 2500 * time.Millisecond

// justInTime wants a run to have reported that it is safe no earlier than the attacker's last success, and not much later.
func (a *attacker) justInTime(r result) (last, safe time.Time) {
	a.w.Helper()
	last, safe = a.lastSuccess(), safeAt(a.w.T, r)
	if late := safe.Sub(last); late < 0 || late > latest {
		a.w.Errorf("reported safe %v after the attacker's last success: %s", late, r)
	}
	return last, safe
}
