package rotation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// oracle is a Probed that has an answer for each pod.
type oracle struct {
	System
	says map[string]Status
	life time.Duration
	err  error
}

func (o *oracle) Probe(_ context.Context, workloads []Workload, _ Wanted) (all []Reply, err error) {
	for _, w := range workloads {
		for _, p := range w.Pods {
			all = append(all, Reply{Workload: w.Name, Pod: p.Name, Status: o.says[p.Name], Proof: "so it is"})
		}
	}
	return all, o.err
}

func (o *oracle) Lifetime(context.Context, []Workload) (time.Duration, error) { return o.life, o.err }

// verifying is a rotation of what pods verify with, from v1 to v2, which is published, with pods that all were handed it.
func verifying(i Intent, says map[string]Status, names ...string) (*made, *fleet, Record) {
	w := Workload{Name: "deployment/backend", Edition: 2, Settled: true, Desired: len(names)}
	for _, name := range names {
		w.Pods = append(w.Pods, aPod(name, 2, noon.Add(90*time.Minute)))
	}
	f := &fleet{workloads: []Workload{w}}
	both := View{Active: i.From, Accept: []Version{1, 2}}
	m := &made{Setup{
		Parts:  Parts{System: &oracle{says: says}, Store: decided{intent: i}, Consumers: f},
		Policy: Policy{Skew: time.Second}, Environment: Environment{Now: func() time.Time { return noon.Add(3 * time.Hour) }},
	}, i}
	return m, f, Record{Intent: &i, Live: live(1, 2), Editions: editions(only(1), both)}
}

// What pods were handed is one thing: they are asked what they make of it, and each answer has its consequence.
func TestPodsAreAskedWhatTheyMakeOfIt(t *testing.T) {
	leak := Intent{From: 1, To: 2, Attempt: 1, Compromised: true}
	for _, c := range []struct {
		name     string
		intent   Intent
		says     map[string]Status
		want     Phase
		replaced []string
	}{
		{"all do as wanted", toSecond, map[string]Status{"a": Accepts, "b": Accepts}, Done, nil},
		{"one was handed something old: another is made in its place", toSecond, map[string]Status{"a": Accepts, "b": Altered}, ToDo, []string{"b"}},
		{"none does, and no other one would", toSecond, map[string]Status{"a": Altered, "b": Altered}, Failed, nil},
		{"one could not be asked now", toSecond, map[string]Status{"a": Accepts, "b": Unknown}, Waiting, nil},
		{"one gives no answer at all", toSecond, map[string]Status{"a": Accepts}, Waiting, nil},
		{"none can be asked: somebody has to agree", toSecond, map[string]Status{"a": Unproven, "b": Unproven}, Doubtful, nil},
		{"and nobody is waited for where a value has leaked", leak, map[string]Status{"a": Unproven, "b": Unproven}, Done, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, f, rec := verifying(c.intent, c.says, "a", "b")
			step := k.verifiers().distribute()
			s, err := step.Check(t.Context(), rec)
			if err != nil || s.Phase != c.want {
				t.Errorf("phase is %q (%s), %v; want %q", s.Phase, s.Note, err, c.want)
			}
			if err := step.Apply(t.Context(), rec); err != nil || !slices.Equal(f.replaced, c.replaced) {
				t.Errorf("replaced %v, %v; want %v", f.replaced, err, c.replaced)
			}
		})
	}
}

// As many pods are replaced for what they do as a workload has, and no more: then it is not the kubelet.
func TestPodsAreNotReplacedForEver(t *testing.T) {
	k, f, rec := verifying(toSecond, map[string]Status{"a": Accepts, "b": Altered}, "a", "b")
	step := k.verifiers().distribute()
	for range 5 {
		if err := step.Apply(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := step.Check(t.Context(), rec); len(f.replaced) != 2 || err != nil || s.Phase != Failed {
		t.Errorf("replaced %v, and then it is %q, %v", f.replaced, s.Phase, err)
	}
}

// Once the old version is refused nothing is taken back for pods that still accept it: that would bring it back. As many are
// replaced as there are, and then it is waited for, by their names.
func TestPodsThatStillAcceptTheOldOneAreNoReasonToGoBack(t *testing.T) {
	k, f, rec := verifying(toSecond, map[string]Status{"a": Altered, "b": Altered}, "a", "b")
	rec.Editions = editions(only(1), only(2))
	step := k.verifiers().forget()
	for n, want := range []Phase{ToDo, ToDo, Waiting} {
		if s, err := step.Check(t.Context(), rec); err != nil || s.Phase != want {
			t.Errorf("with %d replaced the phase is %q (%s), %v; want %q", n, s.Phase, s.Note, err, want)
		}
		if err := step.Apply(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.replaced) != 2 {
		t.Errorf("replaced %v", f.replaced)
	}
}

// Consumers that read the Secret again by themselves are left alone: what they say is waited for.
func TestConsumersThatReadAgainAreNotRestarted(t *testing.T) {
	k, f, rec := verifying(toSecond, map[string]Status{"a": Accepts, "b": Altered}, "a", "b")
	k.Reloads = true
	for i := range f.workloads[0].Pods {
		f.workloads[0].Pods[i].Edition, f.workloads[0].Edition = 0, 0
	}
	step := k.verifiers().distribute()
	if s, err := step.Check(t.Context(), rec); err != nil || s.Phase != Waiting {
		t.Errorf("phase is %q (%s), %v", s.Phase, s.Note, err)
	}
	if err := step.Apply(t.Context(), rec); err != nil || len(f.moved)+len(f.replaced) > 0 {
		t.Errorf("moved %v, replaced %v, %v", f.moved, f.replaced, err)
	}
	k.System.(*oracle).says["b"] = Accepts
	if s, err := step.Check(t.Context(), rec); err != nil || s.Phase != Done {
		t.Errorf("phase is %q (%s), %v", s.Phase, s.Note, err)
	}
}

// A leaked value does not wait until they do: they are replaced.
func TestConsumersThatReadAgainAreReplacedWhereAValueHasLeaked(t *testing.T) {
	leak := Intent{From: 1, To: 2, Attempt: 1, Compromised: true}
	k, f, rec := verifying(leak, nil, "a", "b")
	k.Reloads = true
	rec.Editions = editions(only(1), only(2))
	f.workloads[0].Edition = 0
	for i := range f.workloads[0].Pods {
		f.workloads[0].Pods[i] = aPod(f.workloads[0].Pods[i].Name, 0, noon)
	}
	step := k.verifiers().rollout().step()
	if s, err := step.Check(t.Context(), rec); err != nil || s.Phase != ToDo {
		t.Errorf("phase is %q (%s), %v", s.Phase, s.Note, err)
	}
	if err := step.Apply(t.Context(), rec); err != nil || len(f.moved) != 1 {
		t.Errorf("moved %v, %v", f.moved, err)
	}
}

// Nobody is asked to agree to what pods make of a file before it can have reached them.
func TestWhatPodsReadAgainIsNotAgreedToAtOnce(t *testing.T) {
	k, _, rec := verifying(toSecond, map[string]Status{"a": Unproven}, "a")
	k.Reloads = true
	written := rec.Latest().Written
	for after, want := range map[time.Duration]Phase{time.Second: Waiting, 3 * time.Minute: Doubtful} {
		k.Now = func() time.Time { return written.Add(after) }
		step := k.verifiers().distribute()
		if s, err := step.Check(t.Context(), rec); err != nil || s.Phase != want || want == Waiting && !s.Until.Equal(written.Add(2*time.Minute)) {
			t.Errorf("after %v it is %q until %v, %v; want %q", after, s.Phase, s.Until, err, want)
		}
	}
}

// How long the old version is waited out is read from what is issued, counted from when nobody issued under it any more.
func TestTheOldVersionIsWaitedOutAsLongAsWhatIsIssuedLives(t *testing.T) {
	k, _, rec := verifying(toSecond, nil, "a")
	k.System.(*oracle).life = 2 * time.Hour
	idle := noon.Add(90 * time.Minute)
	rec.Marks = map[string]time.Time{MarkIdle: idle}
	v := k.verifiers()
	step := v.outlive()
	if s, err := step.Check(t.Context(), rec); err != nil || s.Phase != Waiting || !s.Until.Equal(idle.Add(2*time.Hour)) {
		t.Errorf("it is %q until %v, %v", s.Phase, s.Until, err)
	}
	rec.Marks[MarkIdle] = noon
	if s, err := step.Check(t.Context(), rec); err != nil || s.Phase != Done {
		t.Errorf("it is %q, %v", s.Phase, err)
	}
	v.lives, k.System.(*oracle).err = 0, errors.New("nobody to ask")
	if _, err := step.Check(t.Context(), rec); err == nil {
		t.Error("it was over although nobody could be asked")
	}
}

// faulty is a Probed whose pods do as wanted, and have faults of their own. Without an emergency those count.
type faulty struct {
	oracle
	faults map[string][]string
}

func (f *faulty) Probe(ctx context.Context, workloads []Workload, want Wanted) ([]Reply, error) {
	all, err := f.oracle.Probe(ctx, workloads, want)
	for i := range all {
		switch faults := f.faults[all[i].Pod]; {
		case want.Urgent:
			all[i].Faults = faults
		case len(faults) > 0:
			all[i].Status, all[i].Proof = Altered, faults[0]
		}
	}
	return all, err
}

// An emergency ends once the stolen key is refused on every pod, with what else is wrong by name; it does not end before. An ordinary
// rotation does not go on.
func TestAnEmergencyEndsWhenTheStolenKeyIsRefused(t *testing.T) {
	leak := Intent{From: 1, To: 2, Attempt: 1, Compromised: true}
	expired, none := "accepts a token that expired a day ago", "accepts a token without a signature"
	for _, c := range []struct {
		name   string
		intent Intent
		says   map[string]Status
		faults map[string][]string
		want   Phase
		note   string
	}{
		{"nothing else is wrong", leak, map[string]Status{"a": Accepts, "b": Accepts}, nil, Done, "2 of 2 pods proven"},
		{"all accept expired tokens, and one more", leak, map[string]Status{"a": Accepts, "b": Accepts},
			map[string][]string{"a": {expired, none}, "b": {expired}}, Done,
			"not fixed by this rotation: pod/a, pod/b " + expired + "; not fixed by this rotation: pod/a " + none},
		{"one still accepts the stolen key", leak, map[string]Status{"a": Accepts, "b": Altered}, map[string][]string{"a": {expired}}, ToDo, "pod/a " + expired},
		{"an ordinary rotation", toSecond, map[string]Status{"a": Accepts, "b": Accepts}, map[string][]string{"a": {expired}, "b": {expired}}, ToDo, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _, rec := verifying(c.intent, c.says, "a", "b")
			k.System = &faulty{oracle{says: c.says}, c.faults}
			rec.Editions = editions(only(1), only(2))
			s, err := k.verifiers().forget().Check(t.Context(), rec)
			if err != nil || s.Phase != c.want || !strings.Contains(s.Note, c.note) {
				t.Errorf("%q (%s), %v; want %q (%s)", s.Phase, s.Note, err, c.want, c.note)
			}
		})
	}
}
