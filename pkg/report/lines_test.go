package report

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func TestLines(t *testing.T) {
	for name, s := range stories() {
		golden(t, name+".txt", told(s, Style{}))
		golden(t, name+".80.txt", told(s, Style{Width: 80}))
		golden(t, name+".40.txt", told(s, Style{Width: 40}))
	}
	golden(t, "finished.color.txt", strings.ReplaceAll(told(finished(), Style{Color: true}), "\x1b", "ESC"))
}

// Without the wish for colours nothing leaves that could move a cursor, whatever a server said.
// The first line says what a run is for: an answer to a leak is no ordinary rotation.
func TestTitleSaysWhatARunIsFor(t *testing.T) {
	for want, e := range map[string]rotation.Event{
		"rotating orders: v1 to v2":                     {Target: "orders", From: 1, To: 2},
		"taking orders back: v2 to v1":                  {Target: "orders", From: 2, To: 1, Back: true},
		"replacing what has leaked of orders: v1 to v2": {Target: "orders", From: 1, To: 2, Compromised: true},
	} {
		if got := title(e); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestNoControlCharacters(t *testing.T) {
	for name, s := range stories() {
		for _, width := range []int{0, 40, 80} {
			for _, r := range told(s, Style{Width: width}) {
				if r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u202e') {
					t.Errorf("%s at %d columns holds %U", name, width, r)
				}
			}
		}
	}
}

// A line is longer than the screen only for a word that is.
func TestLinesFit(t *testing.T) {
	for name, s := range stories() {
		for _, width := range []int{40, 60, 80, 100} {
			for line := range strings.Lines(told(s, Style{Width: width})) {
				line = strings.TrimRight(line, "\n")
				if utf8.RuneCountInString(line) > width && len(strings.Fields(line)) > 1 {
					t.Errorf("%s at %d columns: %q", name, width, line)
				}
			}
		}
	}
}

// What colours add is only that: without them the text is the same.
func TestColorsAddNothingElse(t *testing.T) {
	for name, s := range stories() {
		colored := told(s, Style{Color: true, Width: 80})
		for _, code := range []string{green, yellow, red, reset} {
			colored = strings.ReplaceAll(colored, code, "")
		}
		if plain := told(s, Style{Width: 80}); colored != plain {
			t.Errorf("%s: %q is not %q", name, colored, plain)
		}
	}
}

func TestColorWanted(t *testing.T) {
	for _, c := range []struct {
		terminal bool
		env      map[string]string
		want     bool
	}{
		{true, nil, true},
		{true, map[string]string{"TERM": "xterm"}, true},
		{false, nil, false},
		{true, map[string]string{"NO_COLOR": "1"}, false},
		{true, map[string]string{"NO_COLOR": ""}, false},
		{true, map[string]string{"TERM": "dumb"}, false},
	} {
		got := ColorWanted(c.terminal, func(name string) (string, bool) { v, ok := c.env[name]; return v, ok })
		if got != c.want {
			t.Errorf("terminal %v, %v: got %v", c.terminal, c.env, got)
		}
	}
}

func TestTook(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0.0s": 0, "0.4s": 410 * ms, "9.9s": 9900 * ms, "10s": 10 * time.Second, "2m": 2 * time.Minute, "10m": 10*time.Minute + time.Second, "3h5m": 3*time.Hour + 5*time.Minute,
	} {
		if got := Took(d); got != want {
			t.Errorf("%v is %s, not %s", d, got, want)
		}
	}
}

// An event has no place for a value. Should anybody print a credential all the same, this is what is seen.
func TestSecretsShowNothing(t *testing.T) {
	value := rotation.NewSecret([]byte("s3cret"))
	c := rotation.Credential{V: 2, ID: "backend_v2", Value: value}
	text := told(story{}.then(0, "stage", rotation.Waiting, sprint(c, value)), Style{})
	if strings.Contains(text, "s3cret") || strings.Contains(text, "733363726574") || !strings.Contains(text, rotation.Redacted) {
		t.Errorf("got %s", text)
	}
}
