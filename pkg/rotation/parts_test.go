package rotation

import (
	"context"
	"slices"
	"testing"
	"time"
)

// An emergency ends a pod once, and never a pod that its controller made after the value was replaced.
func TestCutterEndsEachPodOnce(t *testing.T) {
	var ended []string
	now := noon.Add(time.Hour)
	c := &cutter{
		core: core{Parts: Parts{Store: decided{intent: leak}}, intent: leak, now: func() time.Time { return now }}, skew: time.Second,
		cut: func(_ context.Context, _ Workload, pods []Pod) error {
			for _, p := range pods {
				ended = append(ended, p.Name)
			}
			return nil
		},
	}
	es := editions(only(1), only(2)) // edition 2 is of 13:00
	fits := func(v View) bool { return v.Active == 2 }
	silent := aPod("silent", 0, noon)
	silent.Unreachable = true
	w := Workload{Name: "deployment/backend", Pods: []Pod{aPod("old", 0, noon), silent, aPod("new", 2, now.Add(time.Minute))}}
	for range 2 {
		if err := c.cutOff(t.Context(), w, es, fits); err != nil {
			t.Fatal(err)
		}
	}
	w.Pods = append(w.Pods, aPod("made of the old template", 0, now.Add(time.Second)))
	if err := c.cutOff(t.Context(), w, es, fits); err != nil || !slices.Equal(ended, []string{"old"}) {
		t.Errorf("ended %v, %v", ended, err)
	}
	var none *cutter
	if none.toCut(w, w.Pods[0], es, fits) || none.cutOff(t.Context(), w, es, fits) != nil {
		t.Error("without a cutter something is ended")
	}
}

// A gap takes a consent of its own, except where nothing may hold the decision up.
func TestDecisionAsksForAGap(t *testing.T) {
	const gap = "requests fail for a while"
	for _, c := range []struct {
		name    string
		intent  Intent
		gap     string
		asks    string
		consent string
	}{
		{"versions overlap", toSecond, "", "rotate v1 to v2; until v1 is retired, `kubectl rotate abort` undoes it", ConsentProceed},
		{"they do not", toSecond, gap, "rotate v1 to v2; until v1 is retired, `kubectl rotate abort` undoes it; " + gap, ConsentGap},
		{"nor in a rollback", backToFirst, gap, "go back to v1 and forget v2; " + gap, ConsentProceed},
		{"nor in an emergency", leak, gap, "replace v1 by v2 at once; there is no way back: an outage; " + gap, ConsentProceed},
	} {
		d := &decision{core: core{intent: c.intent}, gap: c.gap, warning: ": an outage"}
		step := d.begin()
		if step.Ask != c.asks || step.consent() != c.consent || (step.Plan != nil) != (c.gap != "") {
			t.Errorf("%s: asks %q with %q", c.name, step.Ask, step.consent())
		}
	}
}

// How the versions of a server relate to each other is asked of the server once, and by none of the parts.
func TestLoginsOfASystem(t *testing.T) {
	for name, c := range map[string]struct {
		system System
		want   logins
	}{
		"a login for each version": {told{}, logins{untold: "the system cannot tell who uses the old version"}},
		"two passwords of one":     {passwords{}, logins{oneID: true, untold: "nobody can tell", left: "connections may be left"}},
		"one password of one":      {onePassword{}, logins{oneID: true, gap: "a gap", untold: "the system cannot tell who uses the old version"}},
	} {
		if got := loginsOf(c.system); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

type onePassword struct{ told }

func (onePassword) Gap() string { return "a gap" }

// The label that pods which fit have already is used again: a rollback that meets them makes no new ones.
func TestPodsGoHomeToTheLabelOfThoseThatFit(t *testing.T) {
	ps := &pods{skew: time.Second}
	es := editions(only(1), only(2), only(1))
	first := func(v View) bool { return v.Active == 1 }
	w := Workload{Edition: 2, Created: noon.Add(-time.Hour), Pods: []Pod{aPod("a", 1, noon.Add(-time.Minute)), aPod("b", 2, noon.Add(90*time.Minute))}}
	if !ps.toMove(w, es, first) || ps.home(w, es, first) != 1 {
		t.Errorf("its label is to be %d, want 1", ps.home(w, es, first))
	}
	w.Pods = w.Pods[1:]
	if got := ps.home(w, es, first); got != 3 {
		t.Errorf("where none fits its label is to be %d, want that of the newest", got)
	}
}

// An emergency counts from the command, or from the decision where another run made that.
func TestSinceWhenAnEmergencyIsAskedFor(t *testing.T) {
	i := Intent{At: noon}
	for asked, want := range map[time.Time]time.Time{
		noon.Add(-2 * time.Second): noon.Add(-2 * time.Second), noon.Add(time.Second): noon, noon.Add(-time.Hour): noon, {}: noon,
	} {
		if got := i.since(asked); !got.Equal(want) {
			t.Errorf("asked for at %v: since %v, want %v", asked, got, want)
		}
	}
}
