package report

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// WriteDetail prints everything about one target for people: its facts, and its checklist if it was surveyed, with every item.
func (l Listing) WriteDetail(p *Printer, s Status) error { return p.write(l.detail(s)) }

func (l Listing) detail(s Status) string {
	facts := [][]string{
		{"Name:", s.Name},
		{"Kind:", s.Kind},
		{"Secret:", s.Namespace + "/" + s.Secret},
		{"Owner:", orNone(s.Owner)},
		{"Version:", version(s)},
		{"Login:", orNone(s.ID)},
		{"Rotated:", l.ago(s.Rotated)},
		{"Due:", l.due(s)},
		{"Phase:", phase(s)},
	}
	if s.To != 0 {
		facts = append(facts, []string{"Rotation:", l.decision(s)})
	}
	facts = append(facts, []string{"Run:", l.run(s)})
	facts = append(facts, []string{"Behind:", strings.Join(everyoneBehind(s), ", ")})
	for _, l := range s.Leftovers {
		facts = append(facts, []string{"Leftover:", l})
	}
	if s.Stuck != "" {
		facts = append(facts, []string{"Stuck:", s.Stuck})
	}
	if s.Error != "" {
		facts = append(facts, []string{"Error:", s.Error})
	}
	if s.Next != "" {
		facts = append(facts, []string{"Next:", s.Next})
	}
	return l.facts(facts) + l.checklist(s.Steps)
}

// facts are names and values, the values wrapped where there is a width.
func (l Listing) facts(facts [][]string) string {
	const indent = len("Rotation:") + 3
	var out strings.Builder
	for _, f := range facts {
		out.WriteString(Pad(f[0], indent) + strings.TrimLeft(block(Clean(f[1]), indent, l.Width), " "))
	}
	return out.String()
}

// decision is the rotation under way, in words.
func (l Listing) decision(s Status) string {
	text := towards(s)
	if s.Back {
		text = "back, " + text
	}
	if s.Compromised {
		text += ", compromised"
	}
	return fmt.Sprintf("%s, decided by %s at %s", text, orNone(s.By), l.ago(s.Since))
}

// run is who is at the target now, and at what.
func (l Listing) run(s Status) string {
	r := s.Run
	if r == nil {
		return runBy(s)
	}
	doing := r.Doing
	if doing == "" {
		doing = "at work on"
	}
	return fmt.Sprintf("%s, %s %s since %s, last heard of %s ago", r.By, doing, s.Name, l.ago(r.Since), duration.HumanDuration(l.Now.Sub(r.Heard)))
}

// everyoneBehind names all that are behind.
func everyoneBehind(s Status) []string {
	if !s.BehindKnown || len(s.Behind) == 0 {
		return []string{behind(s)}
	}
	return s.Behind
}

func (l Listing) ago(t time.Time) string {
	if t.IsZero() {
		return unknown
	}
	return fmt.Sprintf("%s (%s ago)", t.UTC().Format(time.RFC3339), duration.HumanDuration(l.Now.Sub(t)))
}

// checklist is a line for each step and, where it is not done, for each of its items.
func (l Listing) checklist(steps []StepStatus) string {
	if len(steps) == 0 {
		return ""
	}
	var out strings.Builder
	out.WriteString("Steps:\n")
	for _, s := range steps {
		r := row{step: s.Name, state: s.State, note: s.evidence(), whole: true}
		for _, i := range s.Items {
			if s.State != rotation.Done {
				r.items = append(r.items, rotation.Item{Name: i.Name, Note: inFull(i)})
			}
		}
		out.WriteString(r.render(Style{Width: l.Width}))
	}
	return out.String()
}

// evidence is what was seen of a step, with the times that its history tells.
func (s StepStatus) evidence() string {
	text := Evidence(rotation.Event{Note: s.Note, Until: s.Until})
	if times := s.times(); times != "" {
		text = strings.TrimPrefix(text+" ("+times+")", " ")
	}
	return text
}

// times are how long a step has taken, and, while it is not done, how long it usually takes.
func (s StepStatus) times() string {
	var parts []string
	if took := s.Took.Duration(); took >= shown {
		parts = append(parts, Took(took))
		if s.State != rotation.Done {
			parts[0] += " so far"
		}
	}
	if usually := s.Usually.Duration(); usually >= shown && s.State != rotation.Done {
		parts = append(parts, "usually "+Took(usually))
	}
	return strings.Join(parts, ", ")
}

// inFull is what was seen of an item, with its phase.
func inFull(i rotation.Item) string {
	if i.Phase == "" || i.Note == "" {
		return string(i.Phase) + i.Note
	}
	return string(i.Phase) + ", " + i.Note
}
