package checklist

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const (
	nameColumn = len("distribute") + 2
	timeColumn = len("10m12s") + 1
	indent     = "        "
	mostItems  = 8
	mostReason = 4 // lines
)

// steps is the checklist in its sections, and the line of the cursor.
func (m model) steps() (lines []string, focus int) {
	part := rotation.Section("")
	for i, r := range m.rows() {
		if r.part != part {
			part = r.part
			lines = append(lines, m.paint(bold, string(part)))
		}
		if r.final {
			lines = append(lines, m.noReturn())
		}
		if i == m.cursor {
			focus = len(lines)
		}
		lines = append(lines, m.step(r, i == m.cursor))
		switch {
		case m.open[r.step]:
			lines = append(lines, m.inFull(r)...)
		case r.step == rotation.StepBegin && m.beginning():
			lines = append(lines, m.evidence(row{event: rotation.Event{Items: m.before}})...)
		case r.now:
			lines = append(lines, m.evidence(r)...)
		}
	}
	if len(lines) == 0 {
		lines = []string{"looking at how things stand"}
	}
	return lines, focus
}

// beginning says whether the run has not come further than to its first steps: what was looked at before is shown as long.
func (m model) beginning() bool {
	return !slices.ContainsFunc(m.rows(), func(r row) bool { return r.seen && r.step == m.leg.Last.Step && r.part != rotation.Before })
}

// noReturn is the line before the step that cannot be undone.
func (m model) noReturn() string {
	text := " from here on there is no way back "
	side := max(2, (m.width-len(text)-4)/2)
	return "  " + strings.Repeat("-", side) + text + strings.Repeat("-", max(0, side-2))
}

// step is the line of one step.
func (m model) step(r row, cursor bool) string {
	point := " "
	if cursor {
		point = ">"
	}
	note := report.Evidence(rotation.Event{Note: r.event.Note, Error: r.event.Error})
	if !r.seen {
		note = m.paint(faint, report.Clean(r.goal))
	}
	if left := m.left(r); left != "" {
		note += ", " + left
	}
	head := fmt.Sprintf("%s %s %s", point, m.paint(report.PhaseColor(r.state), mark(r.state)), report.Pad(report.Clean(r.step), nameColumn))
	if m.width < narrow {
		return head + note
	}
	times := r.times()
	return m.between(fit(head+note, m.width-max(timeColumn, len(times)+2)), times)
}

// left is how long a wait that ends by itself goes on.
func (m model) left(r row) string {
	if r.event.Until.IsZero() || !r.now {
		return ""
	}
	d := r.event.Until.Sub(m.now).Round(time.Second)
	if d <= 0 {
		return ""
	}
	return d.String() + " left"
}

// evidence is what is seen of the step at work: its workloads and pods, its sessions.
func (m model) evidence(r row) (lines []string) {
	of := ""
	shown := 0
	for i, item := range r.event.Items {
		if item.Of != "" && item.Of != of {
			of = item.Of
			lines = append(lines, indent+m.progress(of, r.event.Items))
		}
		if shown == mostItems {
			return append(lines, fmt.Sprintf("%s  and %d more", indent, len(r.event.Items)-i))
		}
		shown++
		if item.Phase == rotation.Failed {
			lines = append(lines, m.failure(item)...)
			continue
		}
		lines = append(lines, indent+"  "+m.item(item))
	}
	return lines
}

// failure is an item that has failed, with what is known of why: whoever looks need not open it.
func (m model) failure(i rotation.Item) []string {
	in := indent + "      "
	lines := report.Wrap(report.Clean(i.Name)+": "+report.Clean(i.Note), m.width-len(in))
	if len(lines) > mostReason {
		lines = append(lines[:mostReason-1], lines[mostReason-1]+" …")
	}
	for n := range lines {
		lines[n] = in + lines[n]
	}
	lines[0] = indent + "  " + m.paint(report.PhaseColor(i.Phase), mark(i.Phase)) + strings.TrimPrefix(lines[0], indent+"     ")
	return lines
}

func (m model) item(i rotation.Item) string {
	return m.paint(report.PhaseColor(i.Phase), mark(i.Phase)) + " " + report.Clean(i.Name) + ": " + report.Clean(i.Note)
}

// progress is a workload with how many of its pods are where they should be.
func (m model) progress(of string, items []rotation.Item) string {
	there, all := 0, 0
	for _, i := range items {
		if i.Of != of {
			continue
		}
		all++
		if i.Phase == rotation.Done {
			there++
		}
	}
	const width = 20
	full := width * there / max(1, all)
	bar := strings.Repeat("#", full) + strings.Repeat(".", width-full)
	return fmt.Sprintf("%s  %s  %d of %d pods there", report.Clean(of), bar, there, all)
}

// inFull is all about one step: what it is for, what it would do, what was seen.
func (m model) inFull(r row) (lines []string) {
	add := func(text string) {
		for _, line := range report.Wrap(report.Clean(text), m.width-len(indent)) {
			lines = append(lines, indent+line)
		}
	}
	if r.goal != "" {
		add("done when: " + r.goal)
	}
	if len(r.lines) > 0 {
		add("it does:")
		for _, line := range r.lines {
			add("  " + line)
		}
	}
	if note := report.Evidence(r.event); note != "" {
		add("seen: " + note)
	}
	items := r.event.Items
	if r.step == rotation.StepBegin {
		items = m.before
	}
	for _, i := range items {
		add(mark(i.Phase) + " " + i.Name + ": " + i.Note)
	}
	if r.event.Hint != "" {
		add(r.event.Hint)
	}
	return append(lines, "")
}
