package rotation

import "time"

// Leg is what the events of one decision say: of a rotation, or of the way back that followed it. The time between two
// events belongs to the step of the later one; a step that is gone back to counts all its times together.
type Leg struct {
	First, Last Event
	Steps       []string // in the order in which they were first seen

	spent  map[string]time.Duration
	worked map[string]bool
}

// Belongs says whether e is an event of this leg; of none, where g is nil.
func (g *Leg) Belongs(e Event) bool {
	return g != nil && g.First.Attempt == e.Attempt && g.First.To == e.To && g.First.Back == e.Back
}

// Follow gives the leg that e belongs to, which is g or a new one, with e in it.
func (g *Leg) Follow(e Event) *Leg {
	if !g.Belongs(e) {
		g = &Leg{First: e, Last: e, spent: map[string]time.Duration{}, worked: map[string]bool{}}
	}
	if _, seen := g.spent[e.Step]; !seen {
		g.Steps = append(g.Steps, e.Step)
	}
	g.spent[e.Step] += max(0, e.Time.Sub(g.Last.Time))
	g.worked[e.Step] = g.worked[e.Step] || e.State != Done
	g.Last = e
	return g
}

// Spent is how long the leg has been at a step so far.
func (g *Leg) Spent(step string) time.Duration { return g.spent[step] }

// Worked says whether a step was not done when it was first looked at.
func (g *Leg) Worked(step string) bool { return g.worked[step] }

// All is how long the leg has taken so far.
func (g *Leg) All() time.Duration { return g.Last.Time.Sub(g.First.Time) }
