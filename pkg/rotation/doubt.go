package rotation

import (
	"context"
	"fmt"
	"slices"
)

// doubt is what an operator is asked to go on in spite of: of one kind, about some subjects.
type doubt struct {
	kind     string
	subjects []string // pods, nodes, gates; none: the step itself
	text     string
}

// doubts are those of a Doubtful state that were not agreed to yet, one for each kind. An item that names no kind of its
// own is unproven.
func (r *Runner) doubts(step Step, s State) (all []doubt) {
	none := true
	for _, item := range s.Items {
		if item.Phase != Doubtful {
			continue
		}
		none = false
		kind, subject := item.doubt()
		if r.agreed[agreement(step, kind, subject)] {
			continue
		}
		i := slices.IndexFunc(all, func(d doubt) bool { return d.kind == kind })
		if i < 0 {
			i, all = len(all), append(all, doubt{kind: kind, text: s.Note})
		}
		all[i].subjects = append(all[i].subjects, subject)
		if item.Note != "" {
			all[i].text += fmt.Sprintf("; %s: %s", item.Name, item.Note)
		}
	}
	if d := (doubt{kind: orUnproven(s.Consent), text: s.detail()}); none && !r.agreed[agreement(step, d.kind, "")] {
		all = append(all, d)
	}
	return all
}

// doubt is the kind of consent that a doubtful item takes, and what it is about: of pods that cannot be asked, which come and
// go, their workload.
func (i Item) doubt() (kind, subject string) {
	kind = orUnproven(i.Consent)
	if kind == ConsentUnproven && i.Of != "" {
		return kind, i.Of
	}
	return kind, i.Name
}

func orUnproven(kind string) string {
	if kind == "" {
		return ConsentUnproven
	}
	return kind
}

// agreement is what a consent is remembered by for the rest of the run.
func agreement(step Step, kind, subject string) string {
	return fmt.Sprintf("%s\n%s\n%s", step.Name, kind, subject)
}

// ask wants consent to one doubt, and remembers it for its subjects.
func (r *Runner) ask(ctx context.Context, step Step, d doubt) error {
	if len(d.subjects) == 0 {
		d.subjects = []string{""}
	}
	agreed := func(subject string) bool { return r.agreed[agreement(step, d.kind, subject)] }
	if !slices.ContainsFunc(d.subjects, func(s string) bool { return !agreed(s) }) {
		return nil
	}
	if r.Consent == nil {
		return WithHint(fmt.Errorf("%s: %w", d.text, ErrConsent), "agree with --yes, or --accept="+d.kind)
	}
	if err := r.Consent(ctx, Question{Step: step.Name, Kind: d.kind, Text: d.text}); err != nil {
		return err
	}
	if r.agreed == nil {
		r.agreed = map[string]bool{}
	}
	for _, subject := range d.subjects {
		r.agreed[agreement(step, d.kind, subject)] = true
	}
	return nil
}
