package checklist

import (
	"slices"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// row is one step as the screen shows it.
type row struct {
	step  string
	part  rotation.Section // of the list
	goal  string
	lines []string // what it would do
	final bool     // there is no way back after it
	state rotation.Phase
	event rotation.Event // the last one, if seen
	seen  bool
	took  time.Duration
	usual time.Duration // how long it usually takes; 0 where nobody knows
	now   bool          // the run is at this step
}

// rows are the steps of the plan with what was seen of them; without a plan, those that were seen.
func (m model) rows() []row {
	var rows []row
	for _, p := range m.plan {
		rows = append(rows, row{step: p.Step, part: p.Section, goal: p.Goal, lines: p.Lines, final: p.Final, state: rotation.ToDo})
	}
	if m.leg == nil {
		return m.expected(rows)
	}
	for _, step := range m.leg.Steps {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.step == step }) {
			rows = append(rows, row{step: step, part: rotation.During})
		}
	}
	for i := range rows {
		r := &rows[i]
		if r.event, r.seen = m.last[r.step]; !r.seen {
			continue
		}
		r.state, r.took = r.event.State, m.leg.Spent(r.step)
		r.now = r.step == m.leg.Last.Step && r.state != rotation.Done
		if r.now {
			r.took += max(0, m.now.Sub(r.event.Time))
		}
	}
	return m.expected(rows)
}

// expected is rows with how long each usually takes.
func (m model) expected(rows []row) []row {
	for i := range rows {
		rows[i].usual = m.usual[rows[i].step]
	}
	return rows
}

// times are how long a step took, and, as long as it is not done, how long it usually does.
func (r row) times() string {
	const least = 50 * time.Millisecond // less would read as 0.0s
	switch worth := r.usual >= least && r.state != rotation.Done; {
	case r.seen && r.took >= least && worth:
		return report.Took(r.took) + " of ~" + report.Took(r.usual)
	case r.seen && r.took >= least:
		return report.Took(r.took)
	case worth:
		return "~" + report.Took(r.usual)
	}
	return ""
}

// mark is a step's state in a form that needs no colour, as a checklist has it.
func mark(p rotation.Phase) string {
	switch p {
	case rotation.Done:
		return "[x]"
	case rotation.Applying:
		return "[>]"
	case rotation.Waiting, rotation.Retrying, rotation.Paused:
		return "[~]"
	case rotation.Doubtful, rotation.Stale:
		return "[?]"
	case rotation.Failed, rotation.Superseded:
		return "[!]"
	case rotation.Skipped:
		return "[-]"
	}
	return "[ ]"
}
