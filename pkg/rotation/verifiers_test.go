package rotation

import (
	"context"
	"testing"
	"time"
)

var backToFirst = Intent{From: 2, To: 1, Attempt: 2, Back: true}

// ledger is a Store that holds one record.
type ledger struct {
	Store
	rec Record
}

func (l *ledger) Load(context.Context) (Record, error) { return l.rec.Clone(), nil }

func (l *ledger) Note(_ context.Context, _ string, change func(*Record)) error {
	change(&l.rec)
	return nil
}

func (l *ledger) Publish(_ context.Context, _ string, v View) error {
	l.rec.Editions = append(l.rec.Editions, Edition{N: len(l.rec.Editions) + 1, View: v})
	return nil
}

// The way back looks at everything again before it makes the old version active: whoever was at work on the way there may have
// brought a pod that does not know it any more. What follows a look at once, on the way there and after a leak, does not.
func TestActivateLooksAgainOnTheWayBack(t *testing.T) {
	for _, i := range []Intent{toSecond, leak, backToFirst} {
		k, f, rec := verifying(i, map[string]Status{"a": Accepts}, "a")
		if i.Back {
			rec.Editions = editions(only(1), only(2), View{Active: 2, Accept: []Version{1, 2}})
			f.workloads[0].Edition, f.workloads[0].Pods[0] = 3, aPod("a", 3, noon.Add(150*time.Minute))
		}
		store := &ledger{rec: rec}
		k.Store, k.Now = store, time.Now
		list := Overlap(k.Setup, i)
		at := func(name string) int {
			for n, s := range list {
				if s.Name == name {
					return n
				}
			}
			return -1
		}
		f.workloads[0].Pods = append(f.workloads[0].Pods, aPod("late", 0, noon))
		r := Runner{Ledger: store, Intent: i, Mine: i.Mine, Steps: list}
		next, s, err := r.Advance(t.Context(), at(StepActivate))
		active := store.rec.Active() == i.To
		if err != nil || active == i.Back || i.Back && next != at(StepDistribute) {
			t.Errorf("%v: goes on at step %d (%q), active is %v, %v", i, next, s.Phase, store.rec.Active(), err)
		}
	}
}

// The way back waits for nobody, unless pods have to learn again what was taken from them: then a rollout that is still on its way
// may bring one that was handed what it was taken from.
func TestTheWayBackWaitsWhereTheOldVersionWasTakenAway(t *testing.T) {
	first, both, again := only(1), View{Active: 2, Accept: []Version{1, 2}}, View{Active: 2, Accept: []Version{1, 2}}
	for _, c := range []struct {
		name  string
		views []View
		want  Phase
	}{
		{"it was never taken away", []View{first, {Active: 1, Accept: []Version{1, 2}}, both}, Done},
		{"it was, before it was in use", []View{only(3), {Active: 3, Accept: []Version{1, 3}}, first, both}, Done},
		{"it was taken away, and published again", []View{first, both, only(2), again}, Waiting},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, f, rec := verifying(backToFirst, nil, "a")
			f.workloads[0].Settled = false
			rec.Editions = editions(c.views...)
			v := k.verifiers()
			if s, err := v.ready(v.stillKnown)(t.Context(), rec); err != nil || s.Phase != c.want {
				t.Errorf("%q (%s), %v; want %q", s.Phase, s.Note, err, c.want)
			}
			k.System = told{}
			a := k.acceptor()
			if s, err := a.ready(a.stillKnown)(t.Context(), rec); err != nil || s.Phase != Done {
				t.Errorf("a server: %q (%s), %v", s.Phase, s.Note, err)
			}
		})
	}
}

// Pods that were all handed something old are replaced on the way back, which has nothing to go back to itself.
func TestTheWayBackReplacesPodsEvenIfAllAreWrong(t *testing.T) {
	k, f, rec := verifying(backToFirst, map[string]Status{"a": Altered, "b": Altered}, "a", "b")
	rec.Editions = editions(only(2), View{Active: 1, Accept: []Version{1, 2}})
	step := k.verifiers().rollout().step()
	for n, want := range []Phase{ToDo, ToDo, Waiting} {
		s, err := step.Check(t.Context(), rec)
		if err != nil || s.Phase != want {
			t.Errorf("after %d: %q (%s), %v; want %q", n, s.Phase, s.Note, err, want)
		}
		if err := step.Apply(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.replaced) != 2 {
		t.Errorf("replaced %v, want each pod once", f.replaced)
	}
}

// A pod that issues under the old version again, after nobody was seen to, has the wait for what was issued begin anew. That
// is on record before anything is done about the pod.
func TestWhoIssuesUnderTheOldVersionAgainIsWaitedForAnew(t *testing.T) {
	k, f, rec := verifying(toSecond, map[string]Status{"a": Accepts, "b": Altered}, "a", "b")
	rec.Editions = editions(View{Active: 1, Accept: []Version{1, 2}}, View{Active: 2, Accept: []Version{1, 2}})
	rec.Marks = map[string]time.Time{MarkIdle: noon, "other": noon}
	store := &ledger{rec: rec}
	k.Store = store
	step := k.verifiers().rollout().step()
	if err := step.Apply(t.Context(), rec); err != nil || len(f.replaced) > 0 || !store.rec.Marks[MarkIdle].IsZero() || store.rec.Marks["other"].IsZero() {
		t.Errorf("replaced %v with the marks %v, %v", f.replaced, store.rec.Marks, err)
	}
	if err := step.Apply(t.Context(), store.rec); err != nil || len(f.replaced) != 1 {
		t.Errorf("then replaced %v, %v", f.replaced, err)
	}
	f.workloads[0].Pods[1].Terminating = true // somebody else ends it: that it has issued stays true
	f.workloads[0].Pods[1].Edition, f.workloads[0].Pods[1].Created = 0, noon.Add(-time.Hour)
	f.workloads[0].Pods[1].Started = []time.Time{noon.Add(-time.Hour)}
	if s, err := step.Check(t.Context(), rec); err != nil || s.Phase != ToDo {
		t.Errorf("with an old pod on its way out: %q (%s), %v", s.Phase, s.Note, err)
	}
}
