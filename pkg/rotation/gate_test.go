package rotation

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// health is a gate whose findings are set by a test, and the clock by which they are judged.
type health struct {
	made
	parts *overlap
	now   time.Time
	item  Item
	err   error
	rec   Record
}

func newHealth(i Intent, g Gate) *health {
	h := &health{now: noon, item: Item{Phase: Done, Note: "0.1"}, rec: Record{Intent: &i, Live: live(1, 2), Editions: editions(only(1), only(2))}}
	g.Name = "errors"
	g.Look = func(context.Context, Record) (Item, error) { return h.item, h.err }
	h.made = made{Setup{Policy: Policy{Soak: time.Hour}, Environment: Environment{Gates: []Gate{g}, Now: func() time.Time { return h.now }}}, i}
	h.parts = h.overlap()
	return h
}

// after looks again when time has passed.
func (h *health) after(t *testing.T, d time.Duration) State {
	t.Helper()
	h.now = h.now.Add(d)
	s, err := h.parts.gates.verify().Check(context.Background(), h.rec)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAGateHasToStayGood(t *testing.T) {
	h := newHealth(Intent{From: 1, To: 2, Attempt: 1}, Gate{Hold: time.Minute})
	if s := h.after(t, 0); s.Phase != Waiting || !s.Until.Equal(noon.Add(time.Minute)) {
		t.Errorf("at first: %s until %v", s.Phase, s.Until)
	}
	h.item.Phase = Waiting // for a moment it cannot be told
	if s := h.after(t, 30*time.Second); s.Phase != Waiting || !s.Until.IsZero() {
		t.Errorf("not told: %s until %v", s.Phase, s.Until)
	}
	h.item.Phase = Done
	if s := h.after(t, time.Second); s.Phase != Waiting || !s.Until.Equal(h.now.Add(time.Minute)) {
		t.Errorf("good again: %s until %v, want the whole time anew", s.Phase, s.Until)
	}
	if s := h.after(t, time.Minute); s.Phase != Done || !s.Until.IsZero() {
		t.Errorf("good for long enough: %s until %v", s.Phase, s.Until)
	}
}

func TestAGateFailsWhenItStaysBad(t *testing.T) {
	h := newHealth(Intent{From: 1, To: 2, Attempt: 1}, Gate{Patience: 10 * time.Second})
	h.item.Phase = Failed
	if s := h.after(t, 0); s.Phase != Waiting || !s.Until.Equal(noon.Add(10*time.Second)) {
		t.Errorf("at first: %s until %v", s.Phase, s.Until)
	}
	if s := h.after(t, 10*time.Second); s.Phase != Failed || s.detail() != "0 of 1 gates passed; errors: 0.1" {
		t.Errorf("bad for long: %s: %s", s.Phase, s.detail())
	}
}

func TestAGateThatCannotBeLookedAtNeitherPassesNorFails(t *testing.T) {
	h := newHealth(Intent{From: 1, To: 2, Attempt: 1}, Gate{})
	h.err = errors.New("connection refused")
	if s := h.after(t, time.Hour); s.Phase != Waiting || s.Items[0].Note != "not known: connection refused" {
		t.Errorf("%s: %+v", s.Phase, s.Items)
	}
}

func TestASkippedGateIsNotLookedAt(t *testing.T) {
	h := newHealth(Intent{From: 1, To: 2, Attempt: 1}, Gate{})
	h.item.Phase = Failed
	h.rec.Skipped = map[string]Skip{"errors": {By: "alice", At: noon}}
	s := h.after(t, 0)
	if s.Phase != Done || s.Items[0].Phase != Skipped || s.Items[0].Note != "skipped by alice at 12:00:00 UTC" {
		t.Errorf("%s: %+v", s.Phase, s.Items)
	}
}

// A rotation that is over is over, however the application fares later: a rerun does nothing, and status says standby.
func TestGatesHaveNoSayOnceItIsOver(t *testing.T) {
	h := newHealth(Intent{From: 1, To: 2, Attempt: 1}, Gate{})
	h.item.Phase = Failed
	h.rec.Live = live(2)
	if s := h.after(t, 0); s.Phase != Done {
		t.Errorf("%s: %s", s.Phase, s.Note)
	}
}

func TestGatesStopNoLeakAndNoWayBack(t *testing.T) {
	h := newHealth(Intent{From: 1, To: 2, Attempt: 1, Compromised: true}, Gate{Hold: time.Hour})
	h.item.Phase = Failed
	if s := h.after(t, 0); s.Phase != Done || s.Items[0].Phase != Failed {
		t.Errorf("compromised: %s, %+v; want it done, and the gate shown as failed", s.Phase, s.Items)
	}
	for _, back := range []bool{false, true} {
		list := Overlap(Setup{Parts: Parts{System: struct{ Server }{}}, Environment: h.Environment}, Intent{From: 1, To: 2, Attempt: 1, Back: back})
		if has := slices.ContainsFunc(list, func(s Step) bool { return s.Name == StepVerify }); has == back {
			t.Errorf("back %v: verify is in the list: %v", back, has)
		}
	}
}

func TestGatesAreWatchedWhileTheOldVersionIsRefused(t *testing.T) {
	h := newHealth(Intent{From: 1, To: 2, Attempt: 1}, Gate{})
	h.rec.Marks = map[string]time.Time{MarkQuarantined: noon}
	look := func() State {
		t.Helper()
		h.now = h.now.Add(settledLook)
		s, err := h.parts.soaking.step().Check(context.Background(), h.rec)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := look(); s.Phase != Waiting || !s.Until.Equal(noon.Add(time.Hour)) {
		t.Errorf("while good: %s until %v", s.Phase, s.Until)
	}
	h.item = Item{Phase: Failed, Note: "4.2"}
	if s := look(); s.Phase != Failed {
		t.Errorf("once bad: %s", s.Phase)
	}
	h.now = noon.Add(2 * time.Hour)
	h.item.Phase = Waiting
	if s := look(); s.Phase != Waiting {
		t.Errorf("at the end, and not known: %s", s.Phase)
	}
	h.item.Phase = Done
	if s := look(); s.Phase != Done {
		t.Errorf("at the end, and good: %s", s.Phase)
	}
}

// gated is a script with one step that waits for a gate.
func gated(t *testing.T, phase *Phase) *script {
	t.Helper()
	s := newScript(t)
	s.Steps = []Step{{
		Name: StepVerify,
		Check: func(_ context.Context, rec Record) (State, error) {
			item := Item{Name: "errors", Phase: *phase, Note: "4.2", MaySkip: true}
			if _, skipped := rec.Skipped["errors"]; skipped {
				item.Phase = Skipped
				return State{Phase: Done, Items: []Item{item}}, nil
			}
			return State{Phase: *phase, Items: []Item{item}}, nil
		},
		Skip: skips{s.store, "alice", time.Now}.skip,
	}}
	return s
}

func TestAFailedGateFailsTheRunWhereNobodyIsAsked(t *testing.T) {
	bad := Failed
	s := gated(t, &bad)
	var failed *FailedError
	if _, _, err := s.Run(context.Background()); !errors.As(err, &failed) || failed.Step != StepVerify {
		t.Errorf("got %v", err)
	}
}

func TestTheOperatorAnswersAFailedGate(t *testing.T) {
	for _, c := range []struct {
		answer  Answer
		mends   bool // the gate is good again once the operator has answered
		failed  bool
		skipped bool
	}{
		{AnswerSkip, false, false, true},
		{AnswerWait, true, false, false},
		{AnswerBack, false, true, false},
	} {
		phase := Failed
		s := gated(t, &phase)
		asked := 0
		s.Offer = func(_ context.Context, q Question) (Answer, error) {
			asked++
			if c.mends {
				phase = Done
			}
			if q.Kind != ConsentGate || q.Text != "; errors: 4.2" {
				t.Errorf("asked %+v", q)
			}
			return c.answer, nil
		}
		_, _, err := s.Run(context.Background())
		rec, _ := s.store.Load(context.Background())
		skip, skipped := rec.Skipped["errors"]
		if (err != nil) != c.failed || skipped != c.skipped || asked != 1 {
			t.Errorf("%s: asked %d times, skipped %v, ended with %v", c.answer, asked, skipped, err)
		}
		if skipped && skip.By != "alice" {
			t.Errorf("skipped by %q", skip.By)
		}
	}
}

func TestAGateIsSkippedWithoutBeingAsked(t *testing.T) {
	phase := Waiting
	s := gated(t, &phase)
	s.Skips = func() []string { return []string{"errors", StepVerify} }
	if outcome, _, err := s.Run(context.Background()); outcome != Finished || err != nil {
		t.Errorf("%s, %v", outcome, err)
	}
	s.wantLog(t, "verify waiting", "verify done")
}

// A step is no gate: its name is not among what may be skipped, and it has nothing to record that with.
func TestAStepIsNeverSkipped(t *testing.T) {
	s := newScript(t)
	s.Timeout = 0
	s.Skips = func() []string { return []string{"drain", "pod/a"} }
	s.Steps = []Step{{Name: StepDrain, Check: func(context.Context, Record) (State, error) {
		return State{Phase: Waiting, Items: []Item{{Name: "pod/a", Phase: Waiting}}}, nil
	}}}
	if outcome, _, err := s.Run(context.Background()); outcome != UnderWay || err != nil {
		t.Errorf("%s, %v", outcome, err)
	}
}

// What is missing before the beginning is asked for by itself, and who agreed is recorded with the decision.
func TestBeginningWithoutABackupIsRecorded(t *testing.T) {
	store := &preview{Store: nothing{}, now: time.Now}
	var asked []string
	r := Rotation{
		Setup: Setup{Parts: Parts{Store: store}, Environment: Environment{Preflight: []func(context.Context, Record) ([]Item, error){func(context.Context, Record) ([]Item, error) {
			return []Item{
				{Name: "permissions", Phase: Done, Note: "23 granted"},
				{Name: "backup", Phase: ToDo, Note: "none", Consent: ConsentBackup},
				{Name: "job", Note: "runs late"},
			}, nil
		}}}},
		Consent: func(_ context.Context, q Question) error {
			asked = append(asked, q.Kind+": "+q.Text)
			return nil
		},
	}
	r.Parts.System = struct{ Server }{}
	if _, err := r.Run(context.Background(), Want{By: "alice", Until: StepBegin}); err != nil {
		t.Fatal(err)
	}
	want := []string{"backup: backup: none", "proceed: rotate v1 to v2; until v1 is retired, `kubectl rotate abort` undoes it; job: runs late"}
	if !slices.Equal(asked, want) {
		t.Errorf("asked %q, want %q", asked, want)
	}
	rec, _ := store.Load(context.Background())
	if len(rec.Skipped) != 1 || rec.Skipped["backup"].By != "alice" || rec.Skipped["backup"].At.IsZero() {
		t.Errorf("skipped: %+v", rec.Skipped)
	}
}

func TestUntilAStepThatTheListDoesNotHave(t *testing.T) {
	list := []Step{{Name: StepActivate}, {Name: StepRollout}, {Name: StepDrain}, {Name: StepRevoke}}
	for name, want := range map[string]int{StepDrain: 3, "": 4, StepActivate: 1} {
		if got, err := until(list, name); len(got) != want || err != nil {
			t.Errorf("until %q: %d steps, %v; want %d", name, len(got), err, want)
		}
	}
	if _, err := until(list, StepVerify); !errors.Is(err, ErrNoStep) || Hint(err) != "its steps are activate, rollout, drain, revoke" {
		t.Errorf("%v (%s)", err, Hint(err))
	}
}
