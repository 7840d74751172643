package checklist

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// footer is what is asked, or what can be done.
func (m model) footer() []string {
	lines := []string{""}
	switch {
	case m.leaving != "":
		return append(lines, m.leaving+" …")
	case m.taking:
		return append(lines, m.boxed("abort",
			fmt.Sprintf("Take it back to %v? Its value was kept and works all the time; what was made for %v is removed once nobody uses it.", m.intent.From, m.intent.To),
			"y take it back", "n go on")...)
	case len(m.skipping) > 0:
		return append(lines, m.skipQuestion()...)
	case m.offer != nil:
		return append(lines, m.offering()...)
	case m.ask != nil:
		return append(lines, m.question()...)
	}
	if n := len(m.log); n > 0 && m.pane == paneSteps {
		lines = append(lines, m.paint(faint, report.Clean(m.log[n-1])))
	}
	switch {
	case m.held:
		lines = append(lines, "paused before the next effect")
	case m.paused:
		lines = append(lines, "will pause before the next effect")
	}
	return append(lines, m.flow(m.keys())...)
}

// keys are what can be pressed now, and what each does.
func (m model) keys() []string {
	keys := []string{"enter open", "p pause", "l log", "? help", "q leave"}
	if m.paused {
		keys[1] = "p go on"
	}
	if m.canTakeBack() {
		keys = append(keys, "a abort")
	}
	if len(m.canSkip()) > 0 {
		keys = append(keys, "s skip")
	}
	return keys
}

// flow puts parts beside each other, none broken, in as many lines as it takes.
func (m model) flow(parts []string) (lines []string) {
	const gap = "   "
	line := ""
	for _, p := range parts {
		switch {
		case line == "":
			line = p
		case ansi.StringWidth(line+gap+p) > m.width:
			lines = append(lines, line)
			line = p
		default:
			line += gap + p
		}
	}
	return append(lines, line)
}

// question is what a step asks.
func (m model) question() []string {
	answers := []string{"y agree", "n leave it where it is", "enter open", "? help"}
	if skippable(m.ask.Kind) {
		answers[0] = "s skip it, recorded"
	}
	if m.options.Protected != "" && m.ask.Kind == rotation.ConsentProceed {
		answers = []string{fmt.Sprintf("type %s to agree, esc to leave it: %s_", report.Clean(m.options.Protected), report.Clean(m.typed))}
	}
	title := m.ask.Step + " asks"
	if m.ask.Kind != rotation.ConsentProceed {
		title += ": " + m.ask.Kind
	}
	return m.boxed(title, m.ask.Text, answers...)
}

// boxed is a text under a rule with a title, and the answers.
func (m model) boxed(title, text string, answers ...string) []string {
	lines := []string{m.paint(bold, "-- "+report.Clean(title)+" "+strings.Repeat("-", max(2, m.width-len(title)-4)))}
	lines = append(lines, m.wrapped(text)...)
	return append(lines, m.flow(answers)...)
}

func (m model) wrapped(text string) []string { return report.Wrap(report.Clean(text), m.width) }

// fit is text in at most n columns.
func fit(text string, n int) string { return ansi.Truncate(text, max(0, n), "…") }
