package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Plan writes what a run would do, step by step, for people.
func Plan(w io.Writer, i rotation.Intent, steps []rotation.Planned) error {
	text := fmt.Sprintf("from %v to %v; nothing was written\n", i.From, i.To)
	for _, s := range steps {
		text += fmt.Sprintf("\n%-10s %s\n", s.Step, s.Goal)
		if s.Note != "" {
			text += fmt.Sprintf("           now: %s\n", s.Note)
		}
		for _, i := range s.Items {
			if i.Note != "" {
				text += fmt.Sprintf("           %s: %s: %s\n", label(s.Step), Clean(i.Name), Clean(i.Note))
			}
		}
		for _, line := range s.Lines {
			text += fmt.Sprintf("           %s\n", line)
		}
	}
	_, err := io.WriteString(w, text)
	return err
}

// label says when what a step looks at was looked at.
func label(step string) string {
	if step == rotation.StepBegin {
		return "before"
	}
	return "now"
}

// PlanJSON writes the same as one JSON document.
func PlanJSON(w io.Writer, i rotation.Intent, steps []rotation.Planned) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		Intent rotation.Intent    `json:"intent"`
		Steps  []rotation.Planned `json:"steps"`
	}{i, steps})
}
