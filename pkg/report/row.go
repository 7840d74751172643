package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// The columns before a step's evidence, each wide enough for the longest word in it and a space.
const (
	stepColumn  = len("distribute") + 2
	stateColumn = len("superseded") + 2
	timeColumn  = len("10m12s") + 2
	narrow      = 60 // with fewer columns than this the evidence gets lines of its own
	mostItems   = 8  // of a step's items no more than this get a line
)

// row is one step on the screen.
type row struct {
	step  string
	state rotation.Phase
	took  string
	note  string
	items []rotation.Item
	whole bool // everything that was seen, as a survey shows it: all items, and no column for the time
}

// render lays a row out in columns, or, where there is little room, with the evidence below.
func (r row) render(s Style) string {
	head := "  " + Pad(Clean(r.step), stepColumn) + s.Paint(PhaseColor(r.state), Pad(Clean(string(r.state)), stateColumn))
	indent := 2 + stepColumn + stateColumn
	if !r.whole {
		head += Pad(r.took, timeColumn)
		indent += timeColumn
	}
	var out strings.Builder
	if s.Width > 0 && s.Width < narrow {
		indent = 4
		out.WriteString(strings.TrimRight(head, " ") + "\n")
		out.WriteString(block(Clean(r.note), indent, s.Width))
	} else {
		out.WriteString(strings.TrimRight(head+strings.TrimLeft(block(Clean(r.note), indent, s.Width), " "), " \n") + "\n")
	}
	for i, item := range r.items {
		if i == mostItems && !r.whole {
			out.WriteString(block(fmt.Sprintf("and %d more", len(r.items)-mostItems), indent, s.Width))
			break
		}
		out.WriteString(block(Clean(item.Name)+": "+Clean(item.Note), indent, s.Width))
	}
	return out.String()
}

// block is text in lines that are all indented and, if there is a width, fit into it. No text is no line.
func block(text string, indent, width int) string {
	if text == "" {
		return ""
	}
	margin := strings.Repeat(" ", indent)
	return margin + strings.Join(Wrap(text, width-indent), "\n"+margin) + "\n"
}

// Evidence is the evidence in one line, with the end of a wait.
func Evidence(e rotation.Event) string {
	var parts []string
	for _, part := range []string{Clean(e.Note), Clean(e.Error), ending(e.Until)} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// ending says when a wait ends by itself.
func ending(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return "until " + t.UTC().Format(time.TimeOnly) + " UTC"
}

// troubled are the items worth a line of their own: those that hold the step up, and pods that do not come up.
func troubled(e rotation.Event) (items []rotation.Item) {
	if e.State == rotation.Done {
		return nil
	}
	for _, i := range e.Items {
		held := !slices.Contains([]rotation.Phase{rotation.Done, rotation.ToDo, ""}, i.Phase)
		if i.Note != "" && (held || sickPod(i)) {
			items = append(items, i)
		}
	}
	return items
}

// sickPod says whether i is a pod that is on the right version and has something else to say than how far it is.
func sickPod(i rotation.Item) bool {
	return i.Phase == rotation.Done && strings.HasPrefix(i.Name, "pod/") && i.Note != "ready" && i.Note != "starting"
}
