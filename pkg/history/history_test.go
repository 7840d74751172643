package history

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// play is a process that sees events, one a second.
type play struct {
	Log
	at time.Time
}

func begin(id, by string, at time.Time) *play { return &play{Log{ID: id, By: by}, at} }

// see is an event of the rotation v1 to v2.
func (p *play) see(step string, state rotation.Phase, note string) bool {
	p.at = p.at.Add(time.Second)
	return p.Emit(rotation.Event{Time: p.at, Target: "postgres", From: 1, To: 2, Attempt: 1, Step: step, State: state, Note: note, Started: started(step, state)})
}

// back is an event of the way back from it.
func (p *play) back(step string, state rotation.Phase, note string) bool {
	p.at = p.at.Add(time.Second)
	return p.Emit(rotation.Event{Time: p.at, Target: "postgres", From: 2, To: 1, Attempt: 2, Back: true, Step: step, State: state, Note: note, Started: started(step, state)})
}

func started(step string, state rotation.Phase) bool {
	return step != "begin" || state == rotation.Done
}

func (p *play) made(steps ...string) {
	for _, s := range steps {
		p.see(s, rotation.ToDo, "")
		p.see(s, rotation.Done, s+" is proven")
	}
}

func TestRotationThatIsKilledAndContinuedElsewhereHasBothNames(t *testing.T) {
	first := begin("a", "anna", noon)
	first.see("begin", rotation.ToDo, "")
	first.Agreed(noon.Add(time.Second), rotation.Question{Step: "begin", Kind: "proceed", Text: "rotate v1 to v2"})
	first.see("begin", rotation.Done, "v1 to v2, decided by anna")
	first.made("install")
	first.see("rollout", rotation.Waiting, "1 of 3 pods on v2")
	kept := Merge(nil, first.Entries()...)

	second := begin("b", "ben", noon.Add(time.Hour))
	for _, s := range []string{"begin", "stage", "install"} {
		second.see(s, rotation.Done, s+" is proven")
	}
	second.see("rollout", rotation.Waiting, "2 of 3 pods on v2")
	second.see("rollout", rotation.Done, "3 of 3 pods on v2")
	second.made("retire")
	second.End(rotation.Finished, nil)
	kept = Merge(kept, second.Entries()...)
	kept = Merge(kept, second.Entries()...) // telling it again adds nothing

	want := []Story{{
		Target: "postgres", Attempt: 1, From: 1, To: 2, By: []string{"anna", "ben"}, Outcome: Finished, Runs: 2,
		Began: noon.Add(time.Second), Ended: noon.Add(time.Hour + 7*time.Second),
		Steps: []Step{
			{"begin", 1, true, "v1 to v2, decided by anna"}, {"stage", 0, true, "stage is proven"}, {"install", 2, true, "install is proven"},
			{"rollout", 3, true, "3 of 3 pods on v2"}, {"retire", 2, true, "retire is proven"},
		},
		Notes: []Note{{At: noon.Add(time.Second), By: "anna", Step: "begin", Kind: "proceed", Text: "rotate v1 to v2"}},
	}}
	if diff := cmp.Diff(want, Tell(kept, Now{})); diff != "" {
		t.Error(diff)
	}
}

func TestNothingIsToldBeforeTheDecisionStands(t *testing.T) {
	p := begin("a", "anna", noon)
	if p.see("begin", rotation.ToDo, "") || p.see("begin", rotation.Waiting, "a preflight waits") {
		t.Error("worth telling before begin is done")
	}
	p.End("", errors.New("refused"))
	if got := p.Entries(); len(got) > 0 {
		t.Errorf("got %+v", got)
	}
}

func TestWhatIsWorthTellingIsAChangeOfState(t *testing.T) {
	p := begin("a", "anna", noon)
	for i, c := range []struct {
		step  string
		state rotation.Phase
		want  bool
	}{
		{"begin", rotation.ToDo, false}, {"begin", rotation.Done, true}, {"stage", rotation.ToDo, true},
		{"stage", rotation.Done, true}, {"rollout", rotation.Waiting, true}, {"rollout", rotation.Waiting, false},
		{"rollout", rotation.Done, true}, {"stage", rotation.Done, false},
	} {
		if got := p.see(c.step, c.state, fmt.Sprint(i)); got != c.want {
			t.Errorf("%d: %s %s: %v", i, c.step, c.state, got)
		}
	}
}

func TestLookAtWhatIsDoneLeavesNoTrace(t *testing.T) {
	first := begin("a", "anna", noon)
	first.made("begin", "stage", "retire")
	first.End(rotation.Finished, nil)
	kept := Merge(nil, first.Entries()...)
	again := begin("b", "cron", noon.Add(time.Hour))
	for _, s := range []string{"begin", "stage", "retire"} {
		if again.see(s, rotation.Done, "") {
			t.Error("worth telling")
		}
	}
	again.End(rotation.Finished, nil)
	if diff := cmp.Diff(kept, Merge(kept, again.Entries()...)); diff != "" {
		t.Error(diff)
	}
	if got := Merge(nil, again.Entries()...); len(got) > 0 {
		t.Errorf("of a decision that nobody told of: %+v", got)
	}
}

func TestWhatWasSkippedIsTakenDownOnce(t *testing.T) {
	p := begin("a", "anna", noon)
	p.made("begin")
	for range 2 {
		p.at = p.at.Add(time.Second)
		p.Emit(rotation.Event{Time: p.at, Target: "postgres", From: 1, To: 2, Attempt: 1, Step: "gates", State: rotation.Waiting, Items: []rotation.Item{
			{Name: "error rate", Phase: rotation.Skipped, Note: "skipped by anna at 12:00:00 UTC"}, {Name: "ready", Phase: rotation.Waiting, Note: "1 of 3"}}})
	}
	want := []Note{{At: noon.Add(3 * time.Second), Step: "gates", Kind: "skipped", Text: "error rate: skipped by anna at 12:00:00 UTC"}}
	if diff := cmp.Diff(want, p.Entries()[0].Runs[0].Notes); diff != "" {
		t.Error(diff)
	}
}

func TestOutcomes(t *testing.T) {
	rotate := func(end func(*play)) []Entry {
		p := begin("a", "anna", noon)
		p.made("begin", "stage", "install", "rollout")
		end(p)
		return Merge(nil, p.Entries()...)
	}
	failure := &rotation.FailedError{Step: "rollout", State: rotation.State{Note: "CrashLoopBackOff"}}
	killed := rotate(func(*play) {})
	later := Entry{Target: "postgres", Attempt: 2, From: 2, To: 3, Runs: []Run{{ID: "z", By: []string{"cron"}, Began: noon.Add(time.Hour), Steps: []Step{{Name: "stage", Took: 1}}}}}
	leaked := later
	leaked.Compromised = true
	for name, c := range map[string]struct {
		entries []Entry
		now     Now
		want    []Outcome
	}{
		"killed":                              {killed, Now{}, []Outcome{UnderWay}},
		"killed after its last effect":        {killed, Now{Attempt: 1, Standby: true}, []Outcome{Finished}},
		"killed, and the record is elsewhere": {killed, Now{Attempt: 1}, []Outcome{UnderWay}},
		"killed, and another began":           {Merge(killed, later), Now{}, []Outcome{Finished, UnderWay}},
		"killed, and the answer to a leak":    {Merge(killed, leaked), Now{}, []Outcome{Superseded, UnderWay}},
		"left":                                {rotate(func(p *play) { p.End(rotation.UnderWay, nil) }), Now{}, []Outcome{UnderWay}},
		"the API server went away":            {rotate(func(p *play) { p.End("", errors.New("no route")) }), Now{}, []Outcome{UnderWay}},
		"failed":                              {rotate(func(p *play) { p.End("", fmt.Errorf("rollout: %w", failure)) }), Now{}, []Outcome{Failed}},
		"finished":                            {rotate(func(p *play) { p.End(rotation.Finished, nil) }), Now{}, []Outcome{Finished}},
		"retired, and killed":                 {rotate(func(p *play) { p.made("retire") }), Now{}, []Outcome{Finished}},
		"failed and taken back in one process": {rotate(func(p *play) {
			p.back("begin", rotation.ToDo, "")
			p.back("begin", rotation.Done, "")
			p.End("", &rotation.AbortedError{Cause: failure})
		}), Now{}, []Outcome{Aborted, Finished}},
		"failed, and the way back is not over": {rotate(func(p *play) {
			p.back("begin", rotation.ToDo, "")
			p.back("begin", rotation.Done, "")
			p.End("", &rotation.AbortedError{Cause: failure, Back: errors.New("still under way")})
		}), Now{}, []Outcome{Aborted, UnderWay}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []Outcome
			for _, s := range Tell(c.entries, c.now) {
				got = append(got, s.Outcome)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFailureStaysWithTheRotationThatWasTakenBack(t *testing.T) {
	p := begin("a", "anna", noon)
	p.made("begin", "rollout")
	p.back("begin", rotation.ToDo, "")
	p.back("begin", rotation.Done, "")
	p.End("", &rotation.AbortedError{Cause: errors.New("rollout failed: CrashLoopBackOff")})
	stories := Tell(Merge(nil, p.Entries()...), Now{})
	if len(stories) != 2 || stories[0].Error != "rollout failed: CrashLoopBackOff" || stories[1].Error != "" || !stories[1].Back {
		t.Errorf("got %+v", stories)
	}
}

func TestHistoryIsBounded(t *testing.T) {
	var kept []Entry
	for i := range 120 {
		e := Entry{Target: "postgres", Attempt: i + 1, From: rotation.Version(i + 1), To: rotation.Version(i + 2)}
		for j := range 30 {
			r := Run{ID: fmt.Sprint(j), By: []string{fmt.Sprint("user-", j)}, Began: noon.Add(time.Duration(i)*time.Hour + time.Duration(j)*time.Minute)}
			r.Steps = []Step{{Name: "rollout", Took: 1, Note: strings.Repeat("x", mostText)}}
			for range 40 {
				r.Notes = append(r.Notes, Note{Kind: "proceed", Text: strings.Repeat("y", mostText)})
			}
			e.Runs = append(e.Runs, r)
		}
		kept = Merge(kept, e)
	}
	if n := len(kept); n > Most || size(kept) > MostBytes {
		t.Errorf("%d entries, %d bytes", n, size(kept))
	}
	last := kept[len(kept)-1]
	if last.Attempt != 120 || len(last.Runs) != mostRuns {
		t.Errorf("attempt %d with %d runs", last.Attempt, len(last.Runs))
	}
	if got := last.whole().Steps[0].Took; got != 30 {
		t.Errorf("joining lost time: %v of 30 s", got)
	}
}

func TestExpectedTimeIsTheMedianOfTheLastThatFinished(t *testing.T) {
	var stories []Story
	for i, took := range []Seconds{900, 10, 12, 14, 16, 300} {
		stories = append(stories, Story{Attempt: i, Outcome: Finished, Steps: []Step{{"begin", 500, true, ""}, {"rollout", took, true, ""}, {"soak", 600, i%2 == 0, ""}}})
	}
	stories = append(stories,
		Story{Outcome: Aborted, Steps: []Step{{"rollout", 1, true, ""}}},
		Story{Outcome: Finished, Compromised: true, Steps: []Step{{"rollout", 1, true, ""}}},
		Story{Outcome: Finished, Back: true, Steps: []Step{{"rollout", 3, true, ""}}})
	want := map[string]time.Duration{"rollout": 14 * time.Second, "soak": 10 * time.Minute}
	if diff := cmp.Diff(want, Expected(stories, false)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]time.Duration{"rollout": 3 * time.Second}, Expected(stories, true)); diff != "" {
		t.Error(diff)
	}
	slices.Reverse(stories)
	if got := Expected(stories[:2], false); len(got) > 0 {
		t.Errorf("of nothing: %v", got)
	}
}
