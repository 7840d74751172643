package checklist

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
)

const (
	faint   = report.Faint
	bold    = report.Bold
	narrow  = 60 // with fewer columns than this the times have no room
	leastIn = 3  // lines that the middle has however much is asked
)

// View is the whole screen: where, the checklist, and what can be done. Whatever is shown goes through here, and is harmless.
func (m model) View() string {
	top, bottom := m.header(), m.footer()
	room := max(leastIn, m.height-len(top)-len(bottom))
	middle, focus := m.middle()
	lines := append(append(top, window(middle, focus, room)...), bottom...)
	for i := range lines {
		lines[i] = ansi.Truncate(report.Styled(strings.ReplaceAll(lines[i], "\n", " ")), m.width, "…")
	}
	return strings.Join(lines, "\n")
}

// middle is what stands between header and footer, and the line that has to be seen.
func (m model) middle() (lines []string, focus int) {
	switch m.pane {
	case paneLog:
		return m.logLines()
	case paneHelp:
		return help(), 0
	case paneHandover:
		return m.handoverLines(), 0
	}
	return m.steps()
}

// window is the part of lines around focus that fits into room, filled up to it.
func window(lines []string, focus, room int) []string {
	first := max(0, min(focus-room/2, len(lines)-room))
	shown := append([]string(nil), lines[first:min(len(lines), first+room)]...)
	for len(shown) < room {
		shown = append(shown, "")
	}
	return shown
}

// header says which rotation this is, and where.
func (m model) header() []string {
	title := "kubectl rotate " + report.Clean(m.options.Header.Target)
	if i := m.intent; i.To != 0 {
		title += fmt.Sprintf("  %v to %v", i.From, i.To)
		if i.Back {
			title += ", back"
		}
		if i.Compromised {
			title += ", compromised"
		}
	}
	h := m.options.Header
	where := fmt.Sprintf("context %s, %s, namespace %s, as %s; configuration: %s", h.Context, h.Server, h.Namespace, h.User, h.Configuration)
	lines := []string{m.between(m.paint(bold, title), report.Took(m.now.Sub(m.began)))}
	for _, line := range report.Wrap(report.Clean(where), m.width) {
		lines = append(lines, m.paint(faint, line))
	}
	if m.pane == paneLog {
		return append(lines, m.paint(bold, "Log"))
	}
	return append(lines, "")
}

// between is left and right on one line; right gives way.
func (m model) between(left, right string) string {
	gap := m.width - ansi.StringWidth(left) - ansi.StringWidth(right)
	if gap < 2 || right == "" {
		return left
	}
	return left + strings.Repeat(" ", gap) + right
}

func (m model) paint(color, text string) string { return m.options.Style.Paint(color, text) }

// logLines are the log, the newest last.
func (m model) logLines() (lines []string, focus int) {
	for _, line := range m.log {
		lines = append(lines, report.Wrap(line, m.width)...)
	}
	if len(m.log) == 0 {
		lines = append(lines, "nothing was said beside the steps")
	}
	return lines, max(0, len(lines)-1)
}

func help() []string {
	return []string{
		"[ ] to do  [>] being done  [~] waits  [?] asks  [!] failed  [x] done, and proven",
		"[-] skipped by somebody: a gate or something looked at before; no step can be",
		"",
		"up, down    move               enter   what a step does and what was seen, in full",
		"y, n        answer             p       pause before the next effect, or go on",
		"a           take it back, to the version of before, with its password",
		"s           go on without a gate that is not good; recorded, with who and when",
		"l           what was said beside the steps",
		"L           a handover for somebody else, which stays after the screen",
		"q           leave: the rotation stays where it is, and the same command goes on",
		"esc         back to the step at work",
		"",
		"Nothing is lost by leaving, by Ctrl-C, or by a connection that breaks: what is done is what can be seen to be",
		"done. Anybody can go on from anywhere with the same command.",
	}
}
