package history

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Log folds the events of one process into entries: one for each decision that it worked for.
type Log struct {
	ID string // of the process, unlike that of any other
	By string // who runs it, as the API server knows them
	// PodOutput keeps what pods have said, which is left out of texts otherwise.
	PodOutput bool
	now       []*leg
}

// leg is what the log has of one decision.
type leg struct {
	begun       bool // the decision stands in the record: there is something to tell
	compromised bool
	events      *rotation.Leg
	last        map[string]rotation.Event // the newest of each step
	notes       []Note
	end         End
	err         string
}

// Emit takes an event in, and says whether it changes what there is to tell by more than the time that has passed. A look
// at a decision that was made true before changes nothing.
func (l *Log) Emit(e rotation.Event) bool {
	if n := len(l.now); n == 0 || !l.now[n-1].events.Belongs(e) {
		l.now = append(l.now, &leg{last: map[string]rotation.Event{}})
	}
	g := l.now[len(l.now)-1]
	before, seen := g.last[e.Step]
	g.events, g.last[e.Step] = g.events.Follow(e), e
	g.compromised = g.compromised || e.Compromised
	l.skipped(g, e)
	g.begun = g.begun || e.Started
	return g.begun && g.worked() && (!seen || before.State != e.State)
}

// skipped takes down what an operator has decided to go on without.
func (l *Log) skipped(g *leg, e rotation.Event) {
	for _, i := range e.Items {
		n := Note{At: e.Time.UTC(), Step: e.Step, Kind: string(rotation.Skipped), Text: l.text(i.Name + ": " + i.Note)}
		known := slices.ContainsFunc(g.notes, func(k Note) bool { return k.Kind == n.Kind && k.Text == n.Text })
		if i.Phase == rotation.Skipped && !known {
			g.notes = append(g.notes, n)
		}
	}
}

// Agreed takes down what the operator was asked and has agreed to.
func (l *Log) Agreed(at time.Time, q rotation.Question) {
	if len(l.now) == 0 {
		return
	}
	g := l.now[len(l.now)-1]
	g.notes = append(g.notes, Note{At: at.UTC(), By: l.By, Step: q.Step, Kind: q.Kind, Text: l.text(q.Text)})
}

// End takes down how the process ended. Where it took a failed rotation back, the failure belongs to the rotation.
func (l *Log) End(outcome rotation.Outcome, err error) {
	var back *rotation.AbortedError
	if errors.As(err, &back) && len(l.now) > 1 {
		l.ended(l.now[len(l.now)-2], "", back.Cause)
		err = back.Back
		if err == nil {
			outcome = rotation.Finished
		}
	}
	if n := len(l.now); n > 0 {
		l.ended(l.now[n-1], outcome, err)
	}
}

func (l *Log) ended(g *leg, outcome rotation.Outcome, err error) {
	var failed *rotation.FailedError
	switch {
	case errors.As(err, &failed):
		g.end = EndFailed
	case err != nil:
		g.end = EndError
	case outcome == rotation.Finished:
		g.end = EndFinished
	default:
		g.end = EndLeft
	}
	if err != nil {
		g.err = l.text(err.Error())
	}
}

// text is a text as it is kept.
func (l *Log) text(text string) string {
	if !l.PodOutput {
		text = rotation.WithoutSaid(text)
	}
	return cut(text, mostText)
}

// Entries are what the log has to tell, each with the one run.
func (l *Log) Entries() (all []Entry) {
	for _, g := range l.now {
		if g.begun && (g.worked() || g.end == EndFinished) {
			all = append(all, g.entry(l))
		}
	}
	return all
}

func (g *leg) worked() bool {
	for _, step := range g.events.Steps {
		if g.events.Worked(step) {
			return true
		}
	}
	return false
}

func (g *leg) entry(l *Log) Entry {
	first := g.events.First
	r := Run{ID: l.ID, By: []string{l.By}, Began: first.Time.UTC(), Last: g.events.Last.Time.UTC(), End: g.end, Error: g.err, Notes: g.notes}
	for _, name := range g.events.Steps {
		e := g.last[name]
		step := Step{Name: name, Done: e.State == rotation.Done, Note: l.text(strings.Join(nonempty(e.Note, e.Error), ", "))}
		if g.events.Worked(name) {
			step.Took = Of(g.events.Spent(name))
		}
		r.Steps = append(r.Steps, step)
	}
	return Entry{
		Target: first.Target, Attempt: first.Attempt, From: first.From, To: first.To, Back: first.Back,
		Compromised: g.compromised, Runs: []Run{r},
	}
}

func nonempty(texts ...string) (all []string) {
	for _, text := range texts {
		if text != "" {
			all = append(all, text)
		}
	}
	return all
}
