package checklist

import (
	"errors"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func answer(t *testing.T, from <-chan bool) (yes, given bool) {
	t.Helper()
	select {
	case yes = <-from:
		return yes, true
	default:
		return false, false
	}
}

func TestQuestionsAreAnsweredByKeys(t *testing.T) {
	for key, want := range map[string]struct{ yes, given bool }{"y": {true, true}, "n": {false, true}, "enter": {false, false}, "x": {false, false}} {
		d := sit(t, 80, 24)
		d.plan()
		from := d.asked("begin", rotation.ConsentProceed, "rotate v1 to v2")
		d.press(key)
		if yes, given := answer(t, from); yes != want.yes || given != want.given {
			t.Errorf("%q: answered %v %v, want %+v", key, given, yes, want)
		}
	}
}

func TestProtectedNameHasToBeTyped(t *testing.T) {
	d := sit(t, 80, 24)
	d.m.options.Protected = "prod-eu"
	d.plan()
	from := d.asked("begin", rotation.ConsentProceed, "rotate v1 to v2")
	d.press("y", "enter")
	if _, given := answer(t, from); given {
		t.Error("a y was enough")
	}
	for _, r := range "prod-euu" {
		d.press(string(r))
	}
	d.shows("protected")
	d.press("backspace", "enter")
	if yes, given := answer(t, from); !yes || !given {
		t.Error("the name was not enough")
	}
	from = d.asked("begin", rotation.ConsentProceed, "rotate v1 to v2")
	d.press("p", "esc")
	if yes, given := answer(t, from); yes || !given {
		t.Error("esc did not decline")
	}
}

func TestWaysToEnd(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want error
	}{
		{[]string{"q"}, ErrLeft},
		{[]string{"ctrl+c"}, ErrInterrupted},
		{[]string{"a", "y"}, errTakeBack},
		{[]string{"a", "n"}, nil},
		{[]string{"a", "ctrl+c"}, ErrInterrupted},
	} {
		d := sit(t, 80, 24)
		d.rolling()
		d.press(c.keys...)
		switch {
		case c.want == nil && len(d.ends) == 0:
		case len(d.ends) == 1 && errors.Is(d.ends[0], c.want):
		default:
			t.Errorf("%v: ended by %v, want %v", c.keys, d.ends, c.want)
		}
	}
}

func TestNothingToTakeBackBeforeItHasBegun(t *testing.T) {
	d := sit(t, 80, 24)
	d.plan()
	d.press("a", "y")
	if len(d.ends) != 0 {
		t.Errorf("ended by %v", d.ends)
	}
}

func TestCursorFollowsTheRunUntilItIsMoved(t *testing.T) {
	d := sit(t, 80, 24)
	d.rolling()
	at := func() string { return d.m.rows()[d.m.cursor].step }
	if at() != "rollout" {
		t.Errorf("the cursor is at %s", at())
	}
	d.press("up")
	d.event(0, rotation.Event{Step: "drain", State: rotation.Waiting})
	if at() != "activate" {
		t.Errorf("the cursor was moved to activate, and is at %s", at())
	}
	d.press("esc")
	if at() != "drain" {
		t.Errorf("the cursor follows again, and is at %s", at())
	}
}

func TestPauseIsATurnOfOneKey(t *testing.T) {
	d := sit(t, 80, 24)
	d.rolling()
	d.press("p")
	if !d.paused {
		t.Error("not paused")
	}
	d.press("p")
	if d.paused {
		t.Error("not going on")
	}
}
