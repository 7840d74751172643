package rotation

import (
	"context"
	"errors"
	"testing"
	"time"
)

// watched is a Server of which only who uses the old version matters.
type watched struct {
	Server
	sessions []Session
	err      error
}

func (w *watched) InUse(context.Context, Credential) (Usage, error) {
	return Usage{Known: true, Sessions: w.sessions}, w.err
}

// Pods are there for a while after their sessions are over. That nobody is seen while the last of them end counts for the window of drain;
// whoever is seen then, or cannot be asked for, makes it begin anew.
func TestDrainIsWatchedWhileTheLastPodsEnd(t *testing.T) {
	i := Intent{From: 1, To: 2, Attempt: 1}
	noon := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	now := noon.Add(time.Hour)
	old := aPod("old", 1, noon.Add(-time.Hour))
	old.Terminating = true
	fresh := aPod("new", 2, now.Add(-time.Minute))
	consumers := &fleet{workloads: []Workload{{Name: "deployment/backend", Edition: 2, Desired: 1, Settled: true, Pods: []Pod{old, fresh}}}}
	server := &watched{}
	m := made{Setup{
		Parts:  Parts{System: server, Store: decided{intent: i}, Consumers: consumers},
		Policy: Policy{Window: time.Second, Skew: time.Second}, Environment: Environment{Now: func() time.Time { return now }},
	}, i}
	a := m.acceptor()
	es := editions(only(1), only(2))
	es[1].Written = now.Add(-2 * time.Minute)
	rec := Record{Intent: &i, Live: live(1, 2), Editions: es}
	look := func(step Step) Phase {
		t.Helper()
		s, err := step.Check(t.Context(), rec)
		if err != nil {
			t.Fatal(err)
		}
		return s.Phase
	}
	for _, c := range []struct {
		name     string
		sessions []Session
		err      error
		drain    Phase
	}{
		{"a session that is still open", []Session{{ID: "1"}}, nil, Waiting},
		{"what could not be told", nil, errors.New("away"), Waiting},
		{"nobody", nil, nil, Done},
	} {
		server.sessions, server.err = c.sessions, c.err
		if got := look(a.rollout().step()); got != Waiting {
			t.Fatalf("%s: the rollout is %s", c.name, got)
		}
		server.sessions, server.err = nil, nil
		now = now.Add(time.Second)
		if got := look(a.users.drain()); got != c.drain {
			t.Errorf("%s, a second before: drain is %s, want %s", c.name, got, c.drain)
		}
		a.users.quiet = time.Time{}
	}
	look(a.rollout().step())
	if a.users.quiet.IsZero() {
		t.Fatal("nobody was seen, and that does not count")
	}
	consumers.workloads[0].Pods[0].Terminating = false // one that has come back, or has yet to be ended
	look(a.rollout().step())
	if !a.users.quiet.IsZero() {
		t.Error("what was seen before counts, although a pod is there to stay")
	}
}
