package report

import (
	"strings"
	"unicode/utf8"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Style is how text for people is written. The zero value is plain text of any width.
type Style struct {
	Color bool // whether escape sequences for colours may be written; see [ColorWanted]
	Width int  // how many columns there are; 0 where it does not matter, as in a pipe
}

// ColorWanted says whether colours may be written: to a terminal, unless NO_COLOR is set to anything or TERM says
// that the terminal is dumb. lookup is os.LookupEnv.
func ColorWanted(terminal bool, lookup func(string) (string, bool)) bool {
	_, no := lookup("NO_COLOR")
	term, _ := lookup("TERM")
	return terminal && !no && term != "dumb"
}

// The few colours there are; all else is the terminal's own.
const (
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	red    = "\x1b[31m"
	reset  = "\x1b[0m"

	// Faint and Bold are styles for [Style.Paint].
	Faint = "\x1b[2m"
	Bold  = "\x1b[1m"
)

// Paint gives text in a colour, if colours are wanted.
func (s Style) Paint(color, text string) string {
	if !s.Color || color == "" || strings.TrimSpace(text) == "" {
		return text
	}
	return color + text + reset
}

// PhaseColor is the colour of a phase's name.
func PhaseColor(p rotation.Phase) string {
	switch p {
	case rotation.Done:
		return green
	case rotation.Failed, rotation.Superseded:
		return red
	case rotation.Doubtful, rotation.Stale, rotation.Retrying:
		return yellow
	}
	return ""
}

// Clean makes text one line that cannot do anything to a terminal: what a server or a pod says ends up here.
func Clean(text string) string { return line(strings.TrimSpace(text)) }

// unfit stands for a character that is not shown.
const unfit = '\ufffd'

// line is text in one line, without unfit characters.
func line(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\r' || r == '\t' {
			return ' '
		}
		return shownAs(r)
	}, text)
}

// lines is text without unfit characters, in its lines.
func lines(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return r
		}
		return shownAs(r)
	}, text)
}

// shownAs is r, or unfit where it is not visible. Bytes that are no UTF-8 come as unfit already.
func shownAs(r rune) rune {
	if !rotation.Visible(r) {
		return unfit
	}
	return r
}

// Pad makes text at least n columns wide.
func Pad(text string, n int) string {
	return text + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(text)))
}

// Wrap breaks text at spaces into lines of at most n columns; a word that is longer is not broken. n below 1 is no limit.
func Wrap(text string, n int) []string {
	words := strings.Fields(text)
	if n < 1 || len(words) == 0 {
		return []string{text}
	}
	lines := []string{words[0]}
	for _, w := range words[1:] {
		last := &lines[len(lines)-1]
		if utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(w) > n {
			lines = append(lines, w)
			continue
		}
		*last += " " + w
	}
	return lines
}
