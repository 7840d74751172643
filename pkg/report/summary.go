package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Summary keeps what a run's events say, for the lines at its end. The zero value is ready.
type Summary struct{ legs []*rotation.Leg }

// Emit takes note of an event. It can be a [rotation.Runner]'s Emit, together with a renderer's.
func (s *Summary) Emit(e rotation.Event) {
	var last *rotation.Leg
	if n := len(s.legs); n > 0 {
		last = s.legs[n-1]
	}
	if !last.Belongs(e) {
		s.legs = append(s.legs, last.Follow(e))
		return
	}
	last.Follow(e)
}

// End is how a run ended, and what can be done now.
type End struct {
	Outcome  rotation.Outcome // "" where Err says why there is none
	Err      error            // not written here; see [Error]
	Waiting  rotation.State   // with UnderWay: what was waited for
	Continue string           // the command that goes on: "kubectl rotate postgres"
	Undo     string           // the command that undoes it; "" where there is no way back
}

// Write prints the summary: from where to where, each step with the time it took, how to go on and how to undo it. It
// has no colours, and is nothing where nothing happened.
func (s *Summary) Write(p *Printer, end End, style Style) error {
	if len(s.legs) == 0 {
		return nil
	}
	text := "\n"
	for i, g := range s.legs {
		if i < len(s.legs)-1 {
			text += block(name(g)+": given up after "+Took(g.All()), 0, style.Width)
		} else {
			text += block(name(g)+": "+verdict(g, end), 0, style.Width)
		}
		text += block(times(g), 2, style.Width)
	}
	if end.Outcome != rotation.Finished {
		text += advice("to go on:", end.Continue)
		if slices.ContainsFunc(s.legs, func(g *rotation.Leg) bool { return g.Last.Started }) {
			text += advice("to undo it:", end.Undo)
		}
	}
	return p.write(text)
}

func name(g *rotation.Leg) string {
	if g.First.Back {
		return fmt.Sprintf("%s back from %v to %v", Clean(g.First.Target), g.First.From, g.First.To)
	}
	return fmt.Sprintf("%s from %v to %v", Clean(g.First.Target), g.First.From, g.First.To)
}

// verdict is how the leg ended, in words.
func verdict(g *rotation.Leg, end End) string {
	switch end.Outcome {
	case rotation.Finished:
		return "done in " + Took(g.All())
	case rotation.UnderWay:
		waiting := rotation.Event{Note: end.Waiting.Note, Until: end.Waiting.Until}
		if note := Evidence(waiting); note != "" {
			return fmt.Sprintf("under way; %s waits: %s", Clean(g.Last.Step), note)
		}
		return fmt.Sprintf("under way; %s waits", Clean(g.Last.Step))
	}
	if !g.Last.Started && g.Last.State != rotation.Applying {
		return "not started"
	}
	return fmt.Sprintf("stopped at %s after %s", Clean(g.Last.Step), Took(g.All()))
}

// times are the steps that something was done about, each with its time.
func times(g *rotation.Leg) string {
	var parts []string
	for _, step := range g.Steps {
		if g.Worked(step) && g.Spent(step) >= shown {
			parts = append(parts, Clean(step)+" "+Took(g.Spent(step)))
		}
	}
	return strings.Join(parts, ", ")
}

// advice is a command, unbroken so that it can be copied.
func advice(when, command string) string {
	if command == "" {
		return ""
	}
	return Pad(when, len("to undo it: ")) + Clean(command) + "\n"
}
