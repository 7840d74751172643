package report

import (
	"fmt"
	"io"
	"strings"
)

// Printer is the only way to a terminal, a pipe or a file for what a command prints. It cleans what it is given: names, notes
// and errors are often the words of a pod, a tenant or a server.
type Printer struct{ w io.Writer }

// NewPrinter prints to w.
func NewPrinter(w io.Writer) *Printer { return &Printer{w} }

// Printf prints text by a format of our own. Every argument becomes one harmless line; the format may have newlines.
func (p *Printer) Printf(format string, args ...any) error {
	return p.write(sprintf(format, args...))
}

// Linef is Printf with a newline.
func (p *Printer) Linef(format string, args ...any) error {
	return p.write(sprintf(format, args...) + "\n")
}

// Document prints a text of several lines that a marshaller or a template has made.
func (p *Printer) Document(text []byte) error {
	_, err := p.Write(text)
	return err
}

// Write makes a Printer the writer of what others print, such as cobra and klog: newlines and tabs stay, styles do not.
func (p *Printer) Write(text []byte) (int, error) {
	if _, err := io.WriteString(p.w, lines(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Rewind clears the last n lines of a terminal, to print over them.
func (p *Printer) Rewind(n int) error {
	_, err := fmt.Fprintf(p.w, "\x1b[%dA\r\x1b[J", n)
	return err
}

// Styled prints a line that another Printer has made.
func (p *Printer) Styled(line string) error { return p.write(line + "\n") }

// write prints text that was composed in this package, with its styles.
func (p *Printer) write(text string) error {
	_, err := io.WriteString(p.w, Styled(text))
	return err
}

// sprintf is fmt.Sprintf with every argument cleaned.
func sprintf(format string, args ...any) string {
	for i := range args { // in place: vet knows a Printf by that
		args[i] = cleaned{args[i]}
	}
	return fmt.Sprintf(format, args...)
}

// cleaned is an argument that is formatted as without it, and harmless.
type cleaned struct{ arg any }

// Format writes the argument by the same verb, with all flags, in one line.
func (c cleaned) Format(f fmt.State, verb rune) {
	_, _ = io.WriteString(f, line(fmt.Sprintf(fmt.FormatString(f, verb), c.arg)))
}

// Styled is text without anything that could do something to a terminal, but for newlines, tabs and the styles of this program.
func Styled(text string) string {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(text, "\x1b")
		out.WriteString(lines(before))
		if !found {
			return out.String()
		}
		style := leading(after)
		if style == "" {
			out.WriteRune(unfit)
		} else {
			out.WriteString("\x1b" + style)
		}
		text = after[len(style):]
	}
}

// leading is the style that text begins with, without its escape character; "" for none.
func leading(text string) string {
	for _, style := range []string{green, yellow, red, Faint, Bold, reset} {
		if after := style[1:]; strings.HasPrefix(text, after) {
			return after
		}
	}
	return ""
}
