package report

import (
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Error prints err after "error: " and, on a line of its own, its hint after "hint: ". An error of several lines
// gets an "error: " for each. A nil err prints nothing.
func Error(p *Printer, err error, style Style) {
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		_ = p.write(style.Paint(red, "error:") + " " + Clean(line) + "\n")
	}
	if hint := rotation.Hint(err); hint != "" {
		_ = p.write(style.Paint(yellow, "hint:") + " " + Clean(hint) + "\n")
	}
}
