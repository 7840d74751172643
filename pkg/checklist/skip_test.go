package checklist

import (
	"slices"
	"testing"
	"time"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// verifying is a rotation whose gates are looked at.
func (d *desk) verifying(state, errors rotation.Phase) {
	d.rolling()
	d.m.plan = slices.Insert(d.m.plan, 5, rotation.Planned{Step: "verify", Section: rotation.During, Goal: "the application is well on the new version"})
	d.done("rollout", "4 of 4 pods on v2", time.Second)
	d.event(time.Second, rotation.Event{Step: "verify", State: state, Note: "1 of 3 gates passed", Items: []rotation.Item{
		{Name: "ready", Phase: rotation.Done, Note: "4 of 4 pods ready at /health/ready", MaySkip: true},
		{Name: "error-rate", Phase: errors, Note: "4.2, at most 1", MaySkip: true},
		{Name: "logs", Phase: rotation.Skipped, Note: "skipped by bob@example.com at 12:00:01 UTC", MaySkip: true},
	}})
}

func TestGatesAreSeenAndSkipped(t *testing.T) {
	d := sit(t, 80, 24)
	d.verifying(rotation.Waiting, rotation.Waiting)
	d.shows("verify")
	d.press("s")
	d.shows("skip")
	d.press("n", "s", "y")
	if diff := cmp.Diff([]string{"error-rate"}, d.skips); diff != "" {
		t.Error(diff)
	}
}

func TestNoStepIsSkipped(t *testing.T) {
	d := sit(t, 80, 24)
	d.rolling()
	d.press("s", "y")
	if d.skips != nil {
		t.Errorf("skipped %v in a rollout", d.skips)
	}
}

func TestAFailedGateIsAnsweredByKeys(t *testing.T) {
	for key, want := range map[string]rotation.Answer{"w": rotation.AnswerWait, "s": rotation.AnswerSkip, "a": rotation.AnswerBack, "q": "", "y": "none", "n": "none"} {
		d := sit(t, 80, 24)
		d.verifying(rotation.Failed, rotation.Failed)
		answer := make(chan rotation.Answer, 1)
		d.see(offerMsg{rotation.Question{Step: "verify", Kind: rotation.ConsentGate, Text: "1 of 3 gates passed; error-rate: 4.2, at most 1"}, answer})
		if key == "w" {
			d.shows("gate-failed")
		}
		d.press(key)
		got := rotation.Answer("none")
		select {
		case got = <-answer:
		default:
		}
		if got != want {
			t.Errorf("%s answers %q, want %q", key, got, want)
		}
	}
}

func TestWhatIsLookedAtBeforeIsSeenWhileItMatters(t *testing.T) {
	d := sit(t, 80, 24)
	d.plan()
	d.event(0, rotation.Event{Step: "begin", State: rotation.ToDo, Note: "v1 to v2 is not recorded yet", Items: []rotation.Item{
		{Name: "permissions", Phase: rotation.Done, Note: "all that a rotation takes are there"},
		{Name: "backup", Phase: rotation.ToDo, Note: "that of cronjob/nightly is 2d old, and may be 1d", MaySkip: true},
	}})
	answer := d.asked("begin", rotation.ConsentBackup, "backup: that of cronjob/nightly is 2d old, and may be 1d")
	d.shows("before")
	d.see(tea.KeyMsg{Type: tea.KeyRunes, Runes: []rune("s")})
	if !<-answer {
		t.Error("s does not begin without")
	}
	d.rolling()
	d.press("k", "k", "k", "k", "enter")
	d.shows("before-open")
}
