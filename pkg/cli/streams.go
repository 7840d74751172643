package cli

import (
	"io"
	"os"

	"golang.org/x/term"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
)

// Streams are what a command talks to. The zero value of a field is nothing: no input, no output, no terminal.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Terminal bool // somebody can answer: In and Err are a terminal
	Width    int  // of that terminal, in columns; 0 when it is not known
	// Size is how large the terminal is that Out is, now; nil where Out is none.
	Size func() (width, height int)
	Env  func(string) (string, bool) // the environment: os.LookupEnv
}

// Terminal gives the process's own streams.
func Terminal() Streams {
	in, screen := int(os.Stdin.Fd()), int(os.Stderr.Fd()) //nolint:gosec // a file descriptor fits
	s := Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.LookupEnv}
	if term.IsTerminal(in) && term.IsTerminal(screen) {
		s.Terminal = true
		s.Width, _, _ = term.GetSize(screen)
	}
	if out := int(os.Stdout.Fd()); term.IsTerminal(out) { //nolint:gosec // a file descriptor fits
		s.Size = func() (width, height int) {
			width, height, _ = term.GetSize(out)
			return width, height
		}
	}
	return s
}

// style is how text for people is written on the terminal.
func (s Streams) style() report.Style {
	_, plain := s.Env("ACCESSIBLE")
	return report.Style{Color: report.ColorWanted(s.Terminal, s.Env) && !plain, Width: s.Width}
}

// screenWanted says whether a run may have the terminal to itself: not where it cannot move its cursor, nor where lines
// are read out aloud.
func (s Streams) screenWanted() bool {
	_, plain := s.Env("ACCESSIBLE")
	term, _ := s.Env("TERM")
	return s.Terminal && !plain && term != "dumb"
}

// data is how data for people is written on Out.
func (s Streams) data() report.Style {
	style := s.style()
	style.Color = style.Color && s.Size != nil
	return style
}

// redrawn says whether what was written on Out may be written over.
func (s Streams) redrawn() bool {
	_, plain := s.Env("ACCESSIBLE")
	term, _ := s.Env("TERM")
	return s.Size != nil && !plain && term != "dumb"
}
