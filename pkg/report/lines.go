package report

import (
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Lines writes the progress of a run as lines of text, one for each event that is worth it.
type Lines struct {
	p     *Printer
	style Style

	leg  *rotation.Leg
	last map[string]string // what was last written of each step
}

// NewLines prints by p.
func NewLines(p *Printer, style Style) *Lines { return &Lines{p: p, style: style} }

// Emit writes one event. It can be a [rotation.Runner]'s Emit. What is to do is done at once and said then, so neither
// that nor the beginning of an effect has a line; a wait has one whenever its evidence changes.
func (l *Lines) Emit(e rotation.Event) {
	if !l.leg.Belongs(e) {
		l.last = map[string]string{}
		_ = l.p.Linef("%s", title(e))
	}
	l.leg = l.leg.Follow(e)
	if e.Step == rotation.StepBegin && e.State == rotation.ToDo && len(e.Items) > 0 {
		l.before(e)
	}
	if e.State == rotation.ToDo || e.State == rotation.Applying {
		return
	}
	r := row{step: e.Step, state: e.State, note: Evidence(e), items: append(troubled(e), passed(e)...)}
	key := r.key()
	if l.last[e.Step] == key {
		return
	}
	l.last[e.Step] = key
	if e.State == rotation.Done && l.leg.Worked(e.Step) {
		r.took = Took(l.leg.Spent(e.Step))
	}
	_ = l.p.write(r.render(l.style))
}

// title is the first line: which rotation this is.
func title(e rotation.Event) string {
	if e.Back {
		return fmt.Sprintf("taking %s back: %v to %v", Clean(e.Target), e.From, e.To)
	}
	if e.Compromised {
		return fmt.Sprintf("replacing what has leaked of %s: %v to %v", Clean(e.Target), e.From, e.To)
	}
	return fmt.Sprintf("rotating %s: %v to %v", Clean(e.Target), e.From, e.To)
}
