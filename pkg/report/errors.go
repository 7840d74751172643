package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Error writes err after "error: " and, on a line of its own, its hint after "hint: ". An error of several lines
// gets an "error: " for each. A nil err writes nothing.
func Error(w io.Writer, err error, style Style) {
	if err == nil {
		return
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintln(w, style.Paint(red, "error:"), Clean(line))
	}
	if hint := rotation.Hint(err); hint != "" {
		fmt.Fprintln(w, style.Paint(yellow, "hint:"), Clean(hint))
	}
}
