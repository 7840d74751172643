package report

import (
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Plan prints what a run would do, step by step, for people.
func Plan(p *Printer, i rotation.Intent, steps []rotation.Planned) error {
	err := p.Printf("from %v to %v; nothing was written\n", i.From, i.To)
	say := func(format string, args ...any) {
		if err == nil {
			err = p.Printf(format, args...)
		}
	}
	for _, s := range steps {
		say("\n%-10s %s\n", s.Step, s.Goal)
		if s.Note != "" {
			say("           now: %s\n", s.Note)
		}
		for _, i := range s.Items {
			if i.Note != "" {
				say("           %s: %s: %s\n", label(s.Section), i.Name, i.Note)
			}
		}
		for _, line := range s.Lines {
			say("           %s\n", line)
		}
	}
	return err
}

// label says when what a step looks at was looked at.
func label(part rotation.Section) string {
	if part == rotation.Before {
		return "before"
	}
	return "now"
}

// PlanJSON prints the same as one JSON document.
func PlanJSON(p *Printer, i rotation.Intent, steps []rotation.Planned) error {
	return p.JSON(struct {
		Intent rotation.Intent    `json:"intent"`
		Steps  []rotation.Planned `json:"steps"`
	}{i, steps}, "  ")
}
