package rotation

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// fleet is a Consumers that stays as it is and remembers what it was told.
type fleet struct {
	workloads []Workload
	moved     []int
	replaced  []string
}

func (f *fleet) Workloads(context.Context) ([]Workload, error) { return f.workloads, nil }

func (f *fleet) Move(_ context.Context, _ Workload, n int) error {
	f.moved = append(f.moved, n)
	return nil
}

func (f *fleet) Replace(_ context.Context, _ Workload, p Pod) error {
	f.replaced = append(f.replaced, p.Name)
	return nil
}

// decided is a Store whose record has this intent.
type decided struct {
	Store
	intent Intent
}

func (d decided) Load(context.Context) (Record, error) { return Record{Intent: &d.intent}, nil }

// told is a System that is also a Server, and never called.
type told struct{ Server }

func aPod(name string, edition int, created time.Time) Pod {
	return Pod{Name: name, Edition: edition, Created: created, Started: []time.Time{created.Add(time.Second)}, Ready: true}
}

// rolling looks at the rollout step of a rotation from v1 to v2, or back.
func rolling(t *testing.T, f *fleet, back bool, es []Edition) (State, func()) {
	t.Helper()
	i := Intent{From: 1, To: 2, Attempt: 1}
	if back {
		i = Intent{From: 2, To: 1, Attempt: 2, Back: true}
	}
	m := made{Setup{Parts: Parts{System: told{}, Store: decided{intent: i}, Consumers: f}, Policy: Policy{Skew: time.Second}}, i}
	step := m.overlap().onTarget().step()
	rec := Record{Intent: &i, Editions: es}
	s, err := step.Check(context.Background(), rec)
	if err != nil {
		t.Fatal(err)
	}
	return s, func() {
		if err := step.Apply(context.Background(), rec); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRollout(t *testing.T) {
	oldPod, newPod := noon, noon.Add(90*time.Minute) // edition 2 is of 13:00
	es := editions(only(1), only(2))
	for _, c := range []struct {
		name     string
		w        Workload
		want     Phase
		moved    []int
		replaced []string
	}{
		{"all old", Workload{Desired: 1, Settled: true, Pods: []Pod{aPod("a", 0, oldPod)}}, ToDo, []int{2}, nil},
		{"template moved, old pod still there", Workload{Edition: 2, Desired: 1, Pods: []Pod{aPod("a", 0, oldPod), aPod("b", 2, newPod)}}, Waiting, nil, nil},
		{"an old pod that is terminating still counts",
			Workload{Edition: 2, Desired: 1, Pods: []Pod{{Name: "a", Created: oldPod, Started: []time.Time{oldPod}, Terminating: true}, aPod("b", 2, newPod)}}, Waiting, nil, nil},
		{"all new", Workload{Edition: 2, Desired: 1, Settled: true, Pods: []Pod{aPod("b", 2, newPod)}}, Done, nil, nil},
		{"settled on the new template, and yet a pod is old", Workload{Edition: 2, Desired: 1, Settled: true, Pods: []Pod{aPod("a", 1, oldPod)}}, ToDo, nil, []string{"a"}},
		{"a rollout that has failed", Workload{Edition: 2, Desired: 1, Failed: "deadline exceeded", Pods: []Pod{aPod("a", 0, oldPod)}}, Failed, nil, nil},
		{"one that had failed before our template", Workload{Desired: 1, Failed: "deadline exceeded", Pods: []Pod{aPod("a", 0, oldPod)}}, ToDo, []int{2}, nil},
		{"made after the edition, and so never old", Workload{Created: newPod, Desired: 1, Settled: true, Pods: []Pod{aPod("a", 0, newPod)}}, Done, nil, nil},
		{"nothing can move it", Workload{Fixed: true, Desired: 1, Settled: true, Pods: []Pod{aPod("a", 0, oldPod)}}, Waiting, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fleet{workloads: []Workload{c.w}}
			s, apply := rolling(t, f, false, es)
			if s.Phase != c.want {
				t.Errorf("phase is %q (%s), want %q", s.Phase, s.Note, c.want)
			}
			if apply(); !slices.Equal(f.moved, c.moved) || !slices.Equal(f.replaced, c.replaced) {
				t.Errorf("moved to %v and replaced %v, want %v and %v", f.moved, f.replaced, c.moved, c.replaced)
			}
		})
	}
}

// An abort in the middle of a rollout returns the template to the label of the pods that are still healthy, so
// that none of them is made anew.
func TestRolloutBackToTheOldPods(t *testing.T) {
	es := editions(only(1), only(2), only(1))
	stuck := Pod{Name: "c", Edition: 2, Created: noon.Add(90 * time.Minute), Problem: "ImagePullBackOff"}
	f := &fleet{workloads: []Workload{{Edition: 2, Desired: 2, Pods: []Pod{aPod("a", 0, noon), aPod("b", 0, noon), stuck}}}}
	s, apply := rolling(t, f, true, es)
	if s.Phase != ToDo {
		t.Errorf("phase is %q, want %q", s.Phase, ToDo)
	}
	if apply(); !slices.Equal(f.moved, []int{0}) {
		t.Errorf("moved to %v, want back to no label", f.moved)
	}
}

// An operator who sleeps between a look and its effect wakes up to a decision of somebody else's: no template is moved and no
// pod ended for the old one.
func TestNobodyIsMovedForAnotherDecision(t *testing.T) {
	mine := Intent{From: 1, To: 2, Attempt: 1}
	es := editions(only(1), only(2))
	p := aPod("old", 0, noon)
	for name, w := range map[string]Workload{
		"template": {Name: "deployment/backend", Created: noon, Desired: 1, Settled: true, Pods: []Pod{p}},
		"pod":      {Name: "deployment/backend", Created: noon, Edition: 2, Desired: 1, Settled: true, Pods: []Pod{p}},
	} {
		f := &fleet{}
		for _, now := range []Intent{mine, {From: 2, To: 1, Attempt: 2, Back: true}} {
			m := made{Setup{Parts: Parts{System: told{}, Store: decided{intent: now}, Consumers: f}, Policy: Policy{Skew: time.Second}}, mine}
			err := m.overlap().pods.bring(t.Context(), w, es, func(v View) bool { return v.Active == 2 })
			if now != mine && !errors.Is(err, ErrSuperseded) || now == mine && err != nil {
				t.Errorf("%s, decided for %v: %v", name, now.To, err)
			}
		}
		if got := len(f.moved) + len(f.replaced); got != 1 {
			t.Errorf("%s: moved %v, replaced %v; want one effect, of the decision that stands", name, f.moved, f.replaced)
		}
	}
}
