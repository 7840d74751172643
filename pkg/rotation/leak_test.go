package rotation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var leak = Intent{From: 1, To: 2, Attempt: 1, Compromised: true, At: noon.Add(time.Hour)}

// answering is the answer to a leak of what pods verify with: v2 was written a second after 13:00 and each pod is of its own age.
func answering(exits ...Exit) (*made, *fleet, Record) {
	f := &fleet{}
	m := &made{Setup{
		Parts: Parts{System: &oracle{}, Store: decided{intent: leak}, Consumers: f}, Policy: Policy{Skew: 5 * time.Second},
		Environment: Environment{Exits: func() []Exit { return exits }, Now: func() time.Time { return noon.Add(2 * time.Hour) }},
	}, leak}
	rec := Record{Intent: &leak, Live: live(1, 2), Editions: []Edition{{N: 1, View: only(1)}, {N: 2, View: only(2), Written: noon.Add(time.Hour)}}}
	return m, f, rec
}

func clock(text string) time.Time {
	at, err := time.Parse(time.TimeOnly, text)
	if err != nil {
		panic(err)
	}
	return time.Date(noon.Year(), noon.Month(), noon.Day(), at.Hour(), at.Minute(), at.Second(), 0, time.UTC)
}

func TestSafetyIsTheEndOfTheLastPodThatKnewTheLeakedValue(t *testing.T) {
	old := func(name, ended string) Exit { return Exit{Pod: aPod(name, 0, noon), Ended: clock(ended)} }
	fresh := Exit{Pod: aPod("new", 2, clock("13:00:04")), Became: clock("13:00:05")}
	rolled := Exit{Pod: aPod("later", 0, clock("13:00:02")), Ended: clock("13:00:30")} // made of the old template, after the Secret was written
	vanished := Exit{Pod: aPod("vanished", 0, noon), Gone: true}
	for _, c := range []struct {
		name  string
		exits []Exit
		want  Phase
		says  []string
		items int
	}{
		{"two that have ended", []Exit{old("a", "13:00:09"), old("b", "13:00:12"), fresh}, Done,
			[]string{"replaced within 1s", "first new pod was ready within 6s", "within 12s, at 13:00:12 UTC (b, by its kubelet)"}, 0},
		{"one that was made after it never knew it", []Exit{old("a", "13:00:09"), rolled, fresh}, Done, []string{"at 13:00:09 UTC (a,"}, 0},
		{"one whose end is not reported yet", []Exit{old("a", "13:00:09"), {Pod: aPod("b", 0, noon)}}, Waiting, []string{"pod b is not reported yet"}, 0},
		{"one that has vanished", []Exit{old("a", "13:00:09"), vanished}, Done, []string{"at 13:00:09 UTC"}, 1},
		{"none that this run has seen", []Exit{fresh}, Done, []string{"this run has not seen"}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _, rec := answering(c.exits...)
			s := k.verifiers().exposure.tell(rec, State{Phase: Done, Note: "refused"})
			if s.Phase != c.want || len(s.Items) != c.items {
				t.Errorf("%q with %d items, want %q with %d", s.Phase, len(s.Items), c.want, c.items)
			}
			for _, want := range c.says {
				if !strings.Contains(s.Note, want) {
					t.Errorf("it says %q, and not %q", s.Note, want)
				}
			}
		})
	}
}

// All pods that may hold the leaked value are ended at once, each of them once, whatever state their workload is in; what its
// controller makes in their places is not.
func TestCutEndsWhatMayHoldTheLeakedValue(t *testing.T) {
	k, f, rec := answering()
	var cut []string
	k.Cut = func(_ context.Context, _ Workload, pods []Pod) error {
		for _, p := range pods {
			cut = append(cut, p.Name)
		}
		return nil
	}
	stuck := Workload{Name: "deployment/backend", Edition: 2, Desired: 2, Failed: "deadline exceeded", Pods: []Pod{aPod("a", 0, noon)}}
	f.workloads = []Workload{stuck}
	step := k.verifiers().rollout().step()
	if s, err := step.Check(t.Context(), rec); err != nil || s.Phase != ToDo {
		t.Errorf("a rollout that is stuck holds it up: %q (%s), %v", s.Phase, s.Note, err)
	}
	for _, more := range []string{"", "made-in-its-place"} {
		if more != "" {
			f.workloads[0].Pods = append(f.workloads[0].Pods, aPod(more, 0, clock("13:00:01")))
		}
		if err := step.Apply(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(cut, []string{"a"}) {
		t.Errorf("ended %v, want a, once", cut)
	}
	if asks := Overlap(k.Setup, leak)[0].Ask; !strings.Contains(asks, "an outage") {
		t.Errorf("it asks %q, and not about the outage", asks)
	}
}

// There is no way back to what has leaked: not from the first step on, and of any other rotation until the last.
func TestThereIsNoWayBackToALeak(t *testing.T) {
	for _, system := range []System{told{}, struct{ System }{}} {
		for _, i := range []Intent{leak, toSecond} {
			want := StepRetire
			if i.Compromised {
				want = StepBegin
			}
			for _, s := range Overlap(Setup{Parts: Parts{System: system, Store: decided{intent: i}, Consumers: &fleet{}}}, i) {
				if s.Final != (s.Name == want) {
					t.Errorf("%v: from %s on there is no way back: %v", i, s.Name, s.Final)
				}
			}
		}
	}
}

// Where a server is told, it refuses the leaked value before pods have another one: that is what cutting means there.
func TestCutRefusesFirst(t *testing.T) {
	parts := Parts{System: told{}, Store: decided{intent: leak}, Consumers: &fleet{}}
	names := func(e Environment) (all []string) {
		for _, s := range Overlap(Setup{Parts: parts, Environment: e}, leak) {
			all = append(all, s.Name)
		}
		return all
	}
	rolling := []string{StepBegin, StepStage, StepInstall, StepActivate, StepRollout, StepRevoke, StepRetire}
	if got := names(Environment{}); !slices.Equal(got, rolling) {
		t.Errorf("rolling: %v", got)
	}
	first := []string{StepBegin, StepStage, StepInstall, StepActivate, StepRevoke, StepRollout, StepRetire}
	if got := names(Environment{Cut: func(context.Context, Workload, []Pod) error { return nil }}); !slices.Equal(got, first) {
		t.Errorf("cut: %v", got)
	}
}

// sessions of an application.
type opened struct{ ends int }

func (*opened) Look(context.Context) ([]string, error) { return []string{"3 keys of session:*"}, nil }
func (*opened) Warning() string                        { return "" }
func (o *opened) End(context.Context) (string, error) {
	o.ends++
	return "3 keys of session:* removed", nil
}

// What came of a leaked value is ended after every pod refuses it, and only then; a scheduled rotation ends nothing.
func TestSessionsEndAfterEveryPodRefusesTheLeakedValue(t *testing.T) {
	names := func(i Intent) (all []string) {
		for _, s := range Overlap(Setup{Parts: Parts{System: &oracle{}, Store: decided{intent: i}, Consumers: &fleet{}}, Environment: Environment{Aftermath: &opened{}}}, i) {
			all = append(all, s.Name)
		}
		return all
	}
	if got := names(leak); !slices.Equal(got[len(got)-3:], []string{StepForget, StepSessions, StepRetire}) {
		t.Errorf("the end of an answer to a leak: %v", got)
	}
	if got := names(toSecond); slices.Contains(got, StepSessions) {
		t.Errorf("a scheduled rotation: %v", got)
	}
}

// The rollout that has every pod sign with the new key has it refuse the old one too: no second one is announced.
func TestOneRolloutAnswersALeak(t *testing.T) {
	k, _, _ := answering()
	if k.verifiers().forget().Plan != nil {
		t.Error("a second rollout is planned")
	}
	k.intent.Compromised = false
	if k.verifiers().forget().Plan == nil {
		t.Error("without a leak it is one of three, and not planned")
	}
}

// many sessions of an application, of which some end with each call.
type many struct {
	opened
	calls int
}

func (m *many) End(context.Context) (string, error) {
	if m.calls++; m.calls < 5 {
		return "", fmt.Errorf("not all of them: %w", ErrNotYet)
	}
	return "all keys removed", nil
}

// Ending sessions goes on for as long as it gets on, whatever one call may take.
func TestEndingSessionsGoesOnWhileItGetsOn(t *testing.T) {
	k := sessions{core{Parts: Parts{Store: decided{intent: leak}}, intent: leak}, &many{}}
	what, err := k.endAll(t.Context())
	if err != nil || what != "all keys removed" || !k.step().Long {
		t.Errorf("%q, %v", what, err)
	}
	step := Step{Name: StepSessions, Long: true, Apply: func(ctx context.Context, _ Record) error {
		if _, bounded := ctx.Deadline(); bounded {
			t.Error("its time is limited as a whole")
		}
		return nil
	}}
	r := &Runner{Steps: []Step{step}, Limit: time.Second}
	if _, _, err := r.act(t.Context(), 0, Record{}, State{}); err != nil {
		t.Error(err)
	}
}
