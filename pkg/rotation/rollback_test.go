package rotation

import (
	"context"
	"errors"
	"testing"
	"time"
)

// accounts is a Server that accepts what it was told to accept.
type accounts struct {
	Server
	statuses map[string]Status
}

func (l *accounts) Generate(_ context.Context, v Version, _ Credential) (Credential, error) {
	return Credential{ID: "login" + v.String(), Value: NewSecret([]byte(v.String()))}, nil
}

func (l *accounts) Standing(_ context.Context, c Credential) ([]Standing, error) {
	status, known := l.statuses[c.ID]
	if !known {
		status = Absent
	}
	return []Standing{{Where: "server", Status: status}}, nil
}

func (l *accounts) InUse(context.Context, Credential) (Usage, error) { return Usage{Known: true}, nil }

func (l *accounts) Install(_ context.Context, _ Fence, c Credential) error {
	l.statuses[c.ID] = Accepts
	return nil
}

func (l *accounts) Revoke(_ context.Context, _ Fence, c Credential) error {
	l.statuses[c.ID] = Quarantined
	return nil
}

func (l *accounts) Erase(_ context.Context, _ Fence, c Credential) error {
	delete(l.statuses, c.ID)
	return nil
}

// breaking are consumers whose new pods never become ready with the second edition.
type breaking struct {
	Consumers
	w Workload
}

func (b *breaking) Workloads(context.Context) ([]Workload, error) { return []Workload{b.w}, nil }

func (b *breaking) Move(_ context.Context, _ Workload, n int) error {
	b.w.Edition, b.w.Settled, b.w.Failed = n, true, ""
	if n == 2 {
		b.w.Settled, b.w.Failed = false, "ProgressDeadlineExceeded"
	}
	return nil
}

// --until is for the rotation that was asked for. When that fails, the rollback runs to its end: it would leave the new login
// accepted otherwise.
func TestAnAutomaticRollbackIgnoresUntil(t *testing.T) {
	for _, until := range []string{"", StepRollout, StepInstall} {
		server := &accounts{statuses: map[string]Status{"login": Accepts}}
		store := &preview{Store: nothing{}, now: time.Now}
		_ = store.Note(t.Context(), "", func(r *Record) {
			if r.Current.ID == "" {
				r.Current = Credential{ID: "login", Value: NewSecret([]byte("v1"))}
			}
		})
		pod := aPod("a", 0, noon)
		pod.Edition = 1
		app := &breaking{w: Workload{Name: "deployment/app", Edition: 1, Created: noon, Desired: 1, Settled: true, Pods: []Pod{pod}}}
		r := Rotation{
			Target: "app", Setup: Setup{Parts: Parts{System: server, Store: store, Consumers: app}},
			Consent: func(context.Context, Question) error { return nil }, Timeout: time.Second,
		}
		result, err := r.Run(t.Context(), Want{Until: until})
		if until == StepInstall {
			if err != nil || result.Outcome != UnderWay {
				t.Errorf("until %s: %s, %v", until, result.Outcome, err)
			}
			continue
		}
		var aborted *AbortedError
		if !errors.As(err, &aborted) || aborted.Back != nil || result.Outcome != Finished {
			t.Errorf("until %q: %s, %v", until, result.Outcome, err)
		}
		rec, _ := store.Load(t.Context())
		if server.statuses["loginv2"] != "" || len(rec.Live) != 1 {
			t.Errorf("until %q: the new login is %q, and %d values are on record", until, server.statuses["loginv2"], len(rec.Live))
		}
	}
}
