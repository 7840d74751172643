package checklist

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

var update = flag.Bool("update", false, "write the screens in testdata anew")

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// desk is a model at which somebody sits.
type desk struct {
	t      *testing.T
	m      model
	clock  time.Time
	ends   []error
	paused bool
	skips  []string
}

// hand is the desk as the model's control.
type hand struct{ d *desk }

func (h hand) end(why error) { h.d.ends = append(h.d.ends, why) }
func (h hand) pause(on bool) { h.d.paused = on }

func (h hand) skip(names []string) { h.d.skips = append(h.d.skips, names...) }

func sit(t *testing.T, width, height int) *desk {
	d := &desk{t: t, clock: noon}
	d.m = newModel(Options{
		Header: Header{"postgres", "prod-eu", "https://api.prod-eu.example:6443", "default", "alice@example.com", "built-in defaults"},
		Now:    func() time.Time { return d.clock },
	}, hand{d})
	d.see(tea.WindowSizeMsg{Width: width, Height: height})
	return d
}

func (d *desk) see(msg tea.Msg) {
	next, _ := d.m.Update(msg)
	d.m = next.(model) //nolint:errcheck // it is one
}

// later lets time go by.
func (d *desk) later(t time.Duration) {
	d.clock = d.clock.Add(t)
	d.see(tickMsg(d.clock))
}

// event shows one, some time after the last.
func (d *desk) event(after time.Duration, e rotation.Event) {
	d.clock = d.clock.Add(after)
	e.Time, e.Target, e.From, e.To, e.Attempt = d.clock, "postgres", 1, 2, 1
	e.Started = e.Step != "begin" || e.State == rotation.Done
	d.see(eventMsg(e))
}

var named = map[string]tea.KeyType{
	"enter": tea.KeyEnter, "up": tea.KeyUp, "down": tea.KeyDown, "esc": tea.KeyEsc, "ctrl+c": tea.KeyCtrlC, "backspace": tea.KeyBackspace,
}

func (d *desk) press(keys ...string) {
	for _, k := range keys {
		msg := tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune(k)}
		if kind, ok := named[k]; ok {
			msg = tea.KeyMsg{Type: kind}
		}
		d.see(msg)
	}
}

// plan is the list of a rotation.
func (d *desk) plan() {
	steps := []rotation.Planned{
		{Step: "begin", Section: rotation.Before, Goal: "the decision is recorded"},
		{Step: "stage", Section: rotation.Before, Goal: "both values are saved in the cluster"},
		{Step: "install", Section: rotation.During, Goal: "the server accepts the new version, everywhere", Lines: []string{
			`CREATE ROLE "backend_v2" LOGIN CONNECTION LIMIT -1 IN ROLE "backend"`, `ALTER ROLE "backend_v2" PASSWORD '[redacted]'`}},
		{Step: "activate", Section: rotation.During, Goal: "the application's Secret holds the new version"},
		{Step: "rollout", Section: rotation.During, Goal: "every pod runs on the new version"},
		{Step: "drain", Section: rotation.After, Goal: "nobody uses the old version"},
		{Step: "revoke", Section: rotation.After, Goal: "the server refuses the old version, which can still be brought back"},
		{Step: "soak", Section: rotation.After, Goal: "the old version has been refused for a while, and nobody missed it"},
		{Step: "retire", Section: rotation.After, Goal: "the old version is gone, from the server and from the record", Final: true},
	}
	d.see(planMsg{rotation.Intent{From: 1, To: 2, Attempt: 1, By: "alice@example.com"}, steps})
}

// done makes a step in some time.
func (d *desk) done(step, note string, after time.Duration) {
	d.event(0, rotation.Event{Step: step, State: rotation.Applying})
	d.event(after, rotation.Event{Step: step, State: rotation.Done, Note: note})
}

// rolling is a rotation in the middle of its rollout.
func (d *desk) rolling() {
	d.plan()
	d.done("begin", "v1 to v2, decided by alice@example.com", 1200*time.Millisecond)
	d.done("stage", "v2 is backend_v2", 100*time.Millisecond)
	d.done("install", "backend_v2: accepts (login as backend_v2, acting as backend), at 2 places", 1100*time.Millisecond)
	d.done("activate", "v2 is active since edition 2", 60*time.Millisecond)
	d.event(time.Second, rotation.Event{Step: "rollout", State: rotation.Waiting, Note: "2 of 5 pods on v2", Items: []rotation.Item{
		{Of: "deployment/backend", Name: "pod/backend-5d-1", Phase: rotation.Done, Note: "ready"},
		{Of: "deployment/backend", Name: "pod/backend-5d-2", Phase: rotation.Waiting, Note: "starting"},
		{Of: "deployment/backend", Name: "pod/backend-77-1", Phase: rotation.ToDo, Note: "old"},
		{Of: "deployment/reports", Name: "pod/reports-9c-1", Phase: rotation.Done, Note: "ready"},
		{Of: "deployment/reports", Name: "pod/reports-4f-1", Phase: rotation.ToDo, Note: "old, terminating"},
	}})
	d.later(2 * time.Second)
}

// asked shows a question and gives where its answer goes.
func (d *desk) asked(step, kind, text string) <-chan bool {
	answer := make(chan bool, 1)
	d.see(askMsg{rotation.Question{Step: step, Kind: kind, Text: text}, answer})
	return answer
}

// shows compares the screen with the one that is kept, and wants it to fit.
func (d *desk) shows(name string) {
	d.t.Helper()
	got := d.m.View() + "\n"
	for i, line := range strings.Split(strings.TrimSuffix(got, "\n"), "\n") {
		if w := ansi.StringWidth(line); w > d.m.width || line != strings.TrimRight(line, " ") {
			d.t.Errorf("%s: line %d has %d columns of %d, or ends in blanks: %q", name, i+1, w, d.m.width, line)
		}
	}
	if lines := strings.Count(got, "\n"); lines > d.m.height {
		d.t.Errorf("%s: %d lines on %d", name, lines, d.m.height)
	}
	file := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			d.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		d.t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		d.t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
