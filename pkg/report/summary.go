package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Summary keeps what a run's events say, for the lines at its end. The zero value is ready.
type Summary struct{ legs []*leg }

// Emit takes note of an event. It can be a [rotation.Runner]'s Emit, together with a renderer's.
func (s *Summary) Emit(e rotation.Event) {
	var last *leg
	if n := len(s.legs); n > 0 {
		last = s.legs[n-1]
	}
	if !last.belongs(e) {
		s.legs = append(s.legs, last.follow(e))
		return
	}
	last.follow(e)
}

// End is how a run ended, and what can be done now.
type End struct {
	Outcome  rotation.Outcome // "" where Err says why there is none
	Err      error            // not written here; see [Error]
	Waiting  rotation.State   // with UnderWay: what was waited for
	Continue string           // the command that goes on: "kubectl rotate postgres"
	Undo     string           // the command that undoes it; "" where there is no way back
}

// Write writes the summary: from where to where, each step with the time it took, how to go on and how to undo it. It
// has no colours, and is nothing where nothing happened.
func (s *Summary) Write(w io.Writer, end End, style Style) error {
	if len(s.legs) == 0 {
		return nil
	}
	text := "\n"
	for i, g := range s.legs {
		if i < len(s.legs)-1 {
			text += block(g.name()+": given up after "+took(g.all()), 0, style.Width)
		} else {
			text += block(g.name()+": "+g.verdict(end), 0, style.Width)
		}
		text += block(g.times(), 2, style.Width)
	}
	if end.Outcome != rotation.Finished {
		text += advice("to go on:", end.Continue) + advice("to undo it:", end.Undo)
	}
	_, err := io.WriteString(w, text)
	return err
}

func (g *leg) name() string {
	if g.first.Back {
		return fmt.Sprintf("%s back from %v to %v", clean(g.first.Target), g.first.From, g.first.To)
	}
	return fmt.Sprintf("%s from %v to %v", clean(g.first.Target), g.first.From, g.first.To)
}

// verdict is how the leg ended, in words.
func (g *leg) verdict(end End) string {
	switch end.Outcome {
	case rotation.Finished:
		return "done in " + took(g.all())
	case rotation.UnderWay:
		waiting := rotation.Event{Note: end.Waiting.Note, Until: end.Waiting.Until}
		if note := noteOf(waiting); note != "" {
			return fmt.Sprintf("under way; %s waits: %s", g.last.Step, note)
		}
		return fmt.Sprintf("under way; %s waits", g.last.Step)
	}
	return fmt.Sprintf("stopped at %s after %s", g.last.Step, took(g.all()))
}

// times are the steps that something was done about, each with its time.
func (g *leg) times() string {
	var parts []string
	for _, step := range g.steps {
		if g.worked[step] && g.spent[step] >= 50*time.Millisecond { // less would read as 0.0s
			parts = append(parts, step+" "+took(g.spent[step]))
		}
	}
	return strings.Join(parts, ", ")
}

// advice is a command, unbroken so that it can be copied.
func advice(when, command string) string {
	if command == "" {
		return ""
	}
	return pad(when, len("to undo it: ")) + command + "\n"
}
