package report

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// leg is what the events of one decision say: of a rotation, or of the way back that followed it. The time
// between two events belongs to the step of the later one; a step that is gone back to counts all its times together.
type leg struct {
	first, last rotation.Event
	steps       []string // in the order in which they were first seen
	spent       map[string]time.Duration
	worked      map[string]bool // steps that were not done when they were first looked at
}

// belongs says whether e is an event of this leg.
func (g *leg) belongs(e rotation.Event) bool {
	return g != nil && g.first.Attempt == e.Attempt && g.first.To == e.To && g.first.Back == e.Back
}

// follow gives the leg that e belongs to, which is g or a new one, with e in it.
func (g *leg) follow(e rotation.Event) *leg {
	if !g.belongs(e) {
		g = &leg{first: e, last: e, spent: map[string]time.Duration{}, worked: map[string]bool{}}
	}
	if _, seen := g.spent[e.Step]; !seen {
		g.steps = append(g.steps, e.Step)
	}
	g.spent[e.Step] += max(0, e.Time.Sub(g.last.Time))
	g.worked[e.Step] = g.worked[e.Step] || e.State != rotation.Done
	g.last = e
	return g
}

// all is how long the leg has taken so far.
func (g *leg) all() time.Duration { return g.last.Time.Sub(g.first.Time) }

// took is how long something took, for people: tenths below ten seconds, as kubectl does above.
func took(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return duration.HumanDuration(d)
}
