package history

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Entry is one decision, with all runs that worked for it. It is the form in which a history is kept.
type Entry struct {
	Target      string           `json:"target"`
	Attempt     int              `json:"attempt"`
	From        rotation.Version `json:"from"`
	To          rotation.Version `json:"to"`
	Back        bool             `json:"back,omitempty"`
	Compromised bool             `json:"compromised,omitempty"`
	Runs        []Run            `json:"runs"` // in the order in which they began
}

// Key names the entry among those of its target. The versions are in it since a record that was lost counts its decisions
// from one again.
func (e Entry) Key() string { return fmt.Sprintf("attempt-%d.%v-%v", e.Attempt, e.From, e.To) }

// Run is what one process saw of a decision, or several together.
type Run struct {
	ID    string    `json:"id"`
	By    []string  `json:"by"` // as the API server knows them
	Began time.Time `json:"began"`
	Last  time.Time `json:"last"` // when something was last heard of it
	End   End       `json:"end,omitempty"`
	Error string    `json:"error,omitempty"`
	Steps []Step    `json:"steps,omitempty"`
	Notes []Note    `json:"notes,omitempty"`
}

// End is how a run ended; "" for one that goes on, or was killed.
type End string

// The ends of a run.
const (
	EndFinished End = "finished" // every step is done
	EndLeft     End = "left"     // under way, with nothing wrong
	EndFailed   End = "failed"   // a step cannot become true by waiting
	EndError    End = "error"    // something else kept it from going on
)

// Step is what was seen of a step. One that was found done took nothing: what was done about it, another run had no time to
// tell.
type Step struct {
	Name string  `json:"name"`
	Took Seconds `json:"seconds"`
	Done bool    `json:"done,omitempty"`
	Note string  `json:"note,omitempty"` // the evidence in words
}

// Seconds is a duration, kept as a number of seconds.
type Seconds float64

// Duration is s for the rest of Go.
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// Of is d to the millisecond.
func Of(d time.Duration) Seconds { return Seconds(d.Round(time.Millisecond).Seconds()) }

// Note is what somebody agreed to, or decided to go on without.
type Note struct {
	At   time.Time `json:"at"`
	By   string    `json:"by,omitempty"` // "" where the text says it
	Step string    `json:"step,omitempty"`
	Kind string    `json:"kind"` // proceed, unproven, stale, gap, skipped, …
	Text string    `json:"text,omitempty"`
}

// with gives e with r in it, in the place of what it knew of that run before.
func (e Entry) with(r Run) Entry {
	e.Runs = slices.Clone(e.Runs)
	if i := slices.IndexFunc(e.Runs, func(known Run) bool { return known.ID == r.ID }); i >= 0 {
		e.Runs[i] = r
		return e
	}
	e.Runs = append(e.Runs, r)
	slices.SortStableFunc(e.Runs, func(a, b Run) int { return a.Began.Compare(b.Began) })
	return e
}

// join is one run that says what a and then b say.
func join(a, b Run) Run {
	b.By = union(a.By, b.By)
	b.Began, b.Last = earlier(a.Began, b.Began), later(a.Last, b.Last)
	steps := slices.Clone(a.Steps)
	next := 0 // where a step that a has not seen belongs: both saw the list in its order
	for _, s := range b.Steps {
		i := slices.IndexFunc(steps, func(known Step) bool { return known.Name == s.Name })
		if i < 0 {
			steps = slices.Insert(steps, next, s)
			next++
			continue
		}
		next = i + 1
		if s.Took > 0 || !s.Done || !steps[i].Done { // else it only saw what another had made true
			s.Took += steps[i].Took
			steps[i] = s
		}
	}
	b.Steps, b.Notes = steps, append(slices.Clone(a.Notes), b.Notes...)
	return b
}

// worked says whether the run did something, or waited for it.
func (r Run) worked() bool {
	return slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Took > 0 || !s.Done })
}

// whole is all runs of e as one. An entry has at least one.
func (e Entry) whole() Run {
	all := e.Runs[0]
	for _, r := range e.Runs[1:] {
		all = join(all, r)
	}
	return all
}

func union(a, b []string) []string {
	all := slices.Clone(a)
	for _, name := range b {
		if !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	return all
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// order sorts entries, the oldest first.
func order(entries []Entry) {
	slices.SortStableFunc(entries, func(a, b Entry) int {
		return cmp.Or(a.Runs[0].Began.Compare(b.Runs[0].Began), cmp.Compare(a.Attempt, b.Attempt))
	})
}
