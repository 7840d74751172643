package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// mostInTheWay is how many of those that hold a rotation up a handover names.
const mostInTheWay = 12

// WriteHandover prints a handover.
func WriteHandover(p *Printer, s Status, now time.Time) error { return p.write(Handover(s, now)) }

// Handover is how a target stands at now, for somebody else to go on with: what is proven, what is not, who is in the way,
// and the next command. It is Markdown that reads as plain text too, to be pasted into an incident's channel.
func Handover(s Status, now time.Time) string {
	var out strings.Builder
	say := func(format string, args ...any) { out.WriteString(sprintf(format, args...) + "\n") }
	say("**%s**", handed(s))
	say("Secret %s/%s, as of %s.", Clean(s.Namespace), Clean(s.Secret), inFullUTC(now))
	if s.To != 0 {
		say("%s %s", decided(s), atIt(s))
	}
	for _, trouble := range []string{s.Stuck, s.Error} {
		if trouble != "" {
			say("In trouble: %s", Clean(trouble))
		}
	}
	switch {
	case s.Next != "":
		say("\nNext: `%s`", s.Next)
	case s.Error == "" && s.Phase == PhaseStandby:
		say("\nNothing is to be done.")
	}
	if s.Undo != "" {
		say("To take it back, until %s: `%s`", rotation.StepRetire, s.Undo)
	}
	proven, open := sorted(s.Steps)
	list(&out, "Proven:", proven)
	list(&out, "Not proven:", open)
	list(&out, "In the way:", inTheWay(s))
	list(&out, "Left over, and can still log in:", s.Leftovers)
	return out.String()
}

func inFullUTC(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }

// decided is who has decided for it, and when, in a sentence.
func decided(s Status) string {
	text := "Decided by " + Clean(orNone(s.By))
	if !s.Since.IsZero() {
		text += " at " + inFullUTC(s.Since)
	}
	return text + "."
}

// handed is the title.
func handed(s Status) string {
	name := Clean(s.Name)
	switch {
	case s.Error != "":
		return name + ": could not be looked at"
	case s.To == 0:
		return fmt.Sprintf("%s: %s on %s, nothing under way", name, orNone(Clean(s.ID)), version(s))
	case s.Phase == PhaseStandby:
		return fmt.Sprintf("%s: from %v to %v, done", name, s.From, s.To)
	case s.Back:
		return fmt.Sprintf("%s: taking %v back to %v, at %s", name, s.From, s.To, s.Phase)
	case s.Compromised:
		return fmt.Sprintf("%s: replacing the leaked %v by %v, at %s", name, s.From, s.To, s.Phase)
	}
	return fmt.Sprintf("%s: rotating %v to %v, at %s", name, s.From, s.To, s.Phase)
}

// atIt is who is at a rotation now, in a sentence.
func atIt(s Status) string {
	switch {
	case s.Run != nil:
		return fmt.Sprintf("%s is at it since %s.", Clean(s.Run.By), s.Run.Since.UTC().Format("15:04:05 UTC"))
	case !s.RunKnown:
		return "Whether somebody is at it is not known."
	}
	return "Nobody is at it now."
}

// sorted are the steps that are proven, and those that are not, each as a line.
func sorted(steps []StepStatus) (proven, open []string) {
	for _, s := range steps {
		text := s.Name
		if s.State != rotation.Done {
			text += " (" + orUnseen(string(s.State)) + ")"
		}
		if note := s.evidence(); note != "" {
			text += ": " + note
		}
		if s.State == rotation.Done {
			proven = append(proven, text)
		} else {
			open = append(open, text)
		}
	}
	return proven, open
}

func orUnseen(state string) string {
	if state == "" {
		return "not looked at"
	}
	return state
}

// inTheWay are the parts of the step that a rotation is at which hold it up.
func inTheWay(s Status) (names []string) {
	for _, step := range s.Steps {
		if step.State == rotation.Done {
			continue
		}
		for _, i := range step.Items {
			if i.Phase == rotation.Done || i.Phase == rotation.Skipped {
				continue
			}
			if len(names) == mostInTheWay {
				return append(names, "and more")
			}
			text := Clean(i.Name)
			if i.Note != "" {
				text += ": " + Clean(i.Note)
			}
			names = append(names, text)
		}
		return names
	}
	return names
}

// list writes a title and its lines, or nothing where there are none.
func list(out *strings.Builder, title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	out.WriteString("\n" + title + "\n")
	for _, line := range lines {
		out.WriteString("- " + Clean(line) + "\n")
	}
}

// Line is how a target stands, in one line.
func Line(s Status) string {
	text := Clean(s.Name) + ": " + Clean(phase(s))
	if s.To != 0 {
		text += ", " + towards(s)
	}
	for _, more := range []string{s.Stuck, s.Error} {
		if more != "" {
			text += ", " + Clean(more)
		}
	}
	if s.Overdue {
		text += ", overdue since " + s.Due.UTC().Format(time.DateOnly)
	}
	return text
}
