package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// WriteHistory prints stories in the listing's format. Its JSON and YAML are a HistoryList of [history.Story].
func (l Listing) WriteHistory(p *Printer, all []history.Story) error {
	d := document{kind: "HistoryList", items: append([]history.Story{}, all...), table: func() string { return l.historyTable(all) }}
	for _, s := range all {
		d.names = append(d.names, fmt.Sprintf("target/%s/%d", s.Target, s.Attempt))
	}
	if err := d.write(p, l.Format); err != nil {
		return fmt.Errorf("writing the history: %w", err)
	}
	return nil
}

func (l Listing) historyTable(all []history.Story) string {
	headers := []string{"NAME", "ATTEMPT", "FROM", "TO", "BEGAN", "TOOK", "OUTCOME", "BY"}
	if l.AllNamespaces {
		headers = append([]string{"NAMESPACE"}, headers...)
	}
	if l.Format == Wide {
		headers = append(headers, "RUNS", "AGREED", "LONGEST", "ERROR")
	}
	var rows [][]string
	for _, s := range all {
		rows = append(rows, l.historyRow(s))
	}
	return l.lay(headers, rows)
}

func (l Listing) historyRow(s history.Story) []string {
	cells := []string{
		s.Target, fmt.Sprint(s.Attempt), s.From.String(), s.To.String(), s.Began.UTC().Format(time.RFC3339), Took(s.Took()),
		ended(s), strings.Join(s.By, ", "),
	}
	if l.AllNamespaces {
		cells = append([]string{s.Namespace}, cells...)
	}
	if l.Format == Wide {
		cells = append(cells, fmt.Sprint(s.Runs), orNone(agreed(s)), orNone(longest3(s)), orNone(s.Error))
	}
	for i := range cells {
		cells[i] = Clean(cells[i])
	}
	return cells
}

// ended is the outcome, with what has to be known to read it right.
func ended(s history.Story) string {
	text := string(s.Outcome)
	if s.Back {
		text += " (abort)"
	}
	if s.Compromised {
		text += " (compromised)"
	}
	return text
}

// agreed are the kinds of consent that were given, but for a plain yes.
func agreed(s history.Story) string {
	var kinds []string
	for _, n := range s.Notes {
		if n.Kind != rotation.ConsentProceed && !slices.Contains(kinds, n.Kind) {
			kinds = append(kinds, n.Kind)
		}
	}
	return strings.Join(kinds, ", ")
}

// longest3 are the three steps that took longest, the longest first.
func longest3(s history.Story) string {
	steps := slices.Clone(s.Steps)
	slices.SortStableFunc(steps, func(a, b history.Step) int { return int(b.Took.Duration() - a.Took.Duration()) })
	var parts []string
	for _, step := range steps[:min(3, len(steps))] {
		if step.Took.Duration() >= shown {
			parts = append(parts, step.Name+" "+Took(step.Took.Duration()))
		}
	}
	return strings.Join(parts, ", ")
}

// WriteStory prints all about one decision, for people.
func (l Listing) WriteStory(p *Printer, s history.Story) error { return p.write(l.story(s)) }

func (l Listing) story(s history.Story) string {
	facts := [][]string{
		{"Name:", s.Target},
		{"Attempt:", fmt.Sprint(s.Attempt)},
		{"Rotation:", way(s)},
		{"By:", strings.Join(s.By, ", ")},
		{"Began:", l.ago(s.Began)},
	}
	if !s.Ended.IsZero() {
		facts = append(facts, []string{"Ended:", l.ago(s.Ended)})
	}
	facts = append(facts, []string{"Outcome:", ended(s)})
	if s.Runs > 1 {
		facts = append(facts, []string{"Runs:", fmt.Sprintf("%d: it was stopped or killed in between", s.Runs)})
	}
	if s.Error != "" {
		facts = append(facts, []string{"Error:", s.Error})
	}
	var out strings.Builder
	out.WriteString(l.facts(facts) + "Steps:\n")
	for _, step := range s.Steps {
		state := rotation.Done
		if !step.Done {
			state = rotation.Waiting
		}
		out.WriteString(row{step: step.Name, state: state, took: took(step.Took.Duration()), note: step.Note}.render(Style{Width: l.Width}))
	}
	if len(s.Notes) > 0 {
		out.WriteString("Agreed:\n")
	}
	for _, n := range s.Notes {
		out.WriteString(block(Clean(note(n)), 2, l.Width))
	}
	return out.String()
}

// took is a time that is worth showing.
func took(d time.Duration) string {
	if d < shown {
		return ""
	}
	return Took(d)
}

// way is from where to where, in words.
func way(s history.Story) string {
	if s.Back {
		return fmt.Sprintf("back from %v to %v", s.From, s.To)
	}
	return fmt.Sprintf("%v to %v", s.From, s.To)
}

// note is what was agreed to, when, and by whom.
func note(n history.Note) string {
	text := n.At.UTC().Format(time.TimeOnly) + " "
	if n.By != "" {
		text += n.By + " "
	}
	text += "at " + n.Step + ": " + n.Kind
	if n.Text != "" {
		text += ", " + n.Text
	}
	return text
}
