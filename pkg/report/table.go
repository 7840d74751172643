package report

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/duration"
)

// none and unknown are what a column shows where there is nothing, and where nobody knows.
const (
	none    = "<none>"
	unknown = "<unknown>"
)

func (l Listing) headers() []string {
	names := []string{"NAME", "KIND", "VERSION", "AGE", "DUE", "PHASE", "BEHIND", "OWNER"}
	if l.AllNamespaces {
		names = append([]string{"NAMESPACE"}, names...)
	}
	if l.Format == Wide {
		names = append(names, "SECRET", "LOGIN", "TOWARDS", "BY", "RUN")
	}
	return names
}

func (l Listing) row(s Status) []string {
	cells := []string{s.Name, s.Kind, version(s), l.age(s), l.due(s), phase(s), behind(s), orNone(s.Owner)}
	if l.AllNamespaces {
		cells = append([]string{s.Namespace}, cells...)
	}
	if l.Format == Wide {
		cells = append(cells, s.Secret, login(s), towards(s), orNone(s.By), runBy(s))
	}
	for i := range cells {
		cells[i] = Clean(cells[i])
	}
	return cells
}

// table is a row for each target.
func (l Listing) table(all []Status) string {
	var rows [][]string
	for _, s := range all {
		rows = append(rows, l.row(s))
	}
	text := l.lay(l.headers(), rows)
	if !l.Color || strings.Count(text, "\n") > len(all)+1 {
		return text
	}
	return l.highlit(text, all)
}

// highlit has the rows of those that need somebody in a colour; what they need stands in words too.
func (l Listing) highlit(text string, all []Status) string {
	lines := strings.SplitAfter(text, "\n")
	first := len(lines) - 1 - len(all) // after the header, where there is one
	for i, s := range all {
		switch {
		case s.Stuck != "" || s.Error != "" || s.Overdue:
			lines[first+i] = l.Paint(red, strings.TrimSuffix(lines[first+i], "\n")) + "\n"
		case s.Phase != PhaseStandby && s.Phase != PhaseMissing:
			lines[first+i] = l.Paint(yellow, strings.TrimSuffix(lines[first+i], "\n")) + "\n"
		}
	}
	return strings.Join(lines, "")
}

// lay is a table; on a screen too narrow for that, a paragraph for each row.
func (l Listing) lay(headers []string, rows [][]string) string {
	text := columns(append([][]string{headers}, rows...))
	if l.Width > 0 && l.Width < narrow && longest(text) > l.Width {
		return paragraphs(headers, rows)
	}
	if l.NoHeaders {
		return columns(rows)
	}
	return text
}

// paragraphs has one line for each cell.
func paragraphs(headers []string, rows [][]string) string {
	var parts []string
	for _, r := range rows {
		var lines [][]string
		for i, cell := range r {
			lines = append(lines, []string{headers[i], cell})
		}
		parts = append(parts, columns(lines))
	}
	return strings.Join(parts, "\n")
}

// columns lays rows out as kubectl does: three spaces between columns, none at the end.
func columns(rows [][]string) string {
	var widths []int
	for _, r := range rows {
		for i, cell := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var out strings.Builder
	for _, r := range rows {
		line := ""
		for i, cell := range r {
			line += Pad(cell, widths[i]+3)
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return out.String()
}

// longest is how many columns text takes.
func longest(text string) (n int) {
	for line := range strings.Lines(text) {
		n = max(n, utf8.RuneCountInString(strings.TrimRight(line, "\n")))
	}
	return n
}

func version(s Status) string {
	if s.Version == 0 {
		return none
	}
	return s.Version.String()
}

func (l Listing) age(s Status) string {
	if s.Rotated.IsZero() {
		return unknown
	}
	return duration.HumanDuration(l.Now.Sub(s.Rotated))
}

// due is how long there is still time, or for how long there is none any more.
func (l Listing) due(s Status) string {
	switch left := s.Due.Sub(l.Now); {
	case s.Due.IsZero():
		return unknown
	case left < 0:
		return "overdue " + duration.HumanDuration(-left)
	default:
		return "in " + duration.HumanDuration(left)
	}
}

// phase is the phase, with what has to be known to read it right.
func phase(s Status) string {
	switch {
	case s.Error != "":
		return "error"
	case s.Stuck != "":
		return s.Phase + " (stuck)"
	case s.Recorded:
		return s.Phase + " (recorded)"
	}
	return s.Phase
}

// behind names the first one that is behind, and how many more there are.
func behind(s Status) string {
	switch n := len(s.Behind); {
	case !s.BehindKnown:
		return unknown
	case n == 0:
		return none
	case n == 1:
		return s.Behind[0]
	default:
		return fmt.Sprintf("%s +%d", s.Behind[0], n-1)
	}
}

// login is the ID of the active version. A record alone says it only of what was rotated.
func login(s Status) string {
	if s.ID == "" && s.Recorded {
		return unknown
	}
	return orNone(s.ID)
}

func towards(s Status) string {
	if s.To == 0 {
		return none
	}
	return fmt.Sprintf("%v to %v", s.From, s.To)
}

// runBy is who is at the target now.
func runBy(s Status) string {
	switch {
	case s.Run != nil:
		return s.Run.By
	case !s.RunKnown:
		return unknown
	}
	return none
}

func orNone(text string) string {
	if text == "" {
		return none
	}
	return text
}
