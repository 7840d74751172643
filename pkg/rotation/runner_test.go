package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// nothing is a Store of a target that was never rotated.
type nothing struct{ Store }

func (nothing) Load(context.Context) (Record, error) { return Record{}, nil }

// script is a list of steps over plain variables, and what happened to them.
type script struct {
	*Runner
	store *preview
	log   []string
}

// newScript has intent v1 to v2 on record.
func newScript(t *testing.T) *script {
	t.Helper()
	s := &script{store: &preview{Store: nothing{}, now: time.Now}}
	i := Intent{From: 1, To: 2, Attempt: 1}
	s.decide(i)
	s.Runner = &Runner{
		Ledger: s.store, Intent: i, Mine: i.Mine, Timeout: time.Minute,
		Emit:    func(e Event) { s.log = append(s.log, fmt.Sprintf("%s %s", e.Step, e.State)) },
		Consent: func(context.Context, Question) error { return nil },
	}
	return s
}

func (s *script) decide(i Intent) {
	_ = s.store.Note(context.Background(), "", func(r *Record) { r.Intent = &i })
}

// step adds a step that is done when *done is true, which its Apply makes it.
func (s *script) step(name string, done *bool) *Step {
	s.Steps = append(s.Steps, Step{
		Name: name,
		Check: func(context.Context, Record) (State, error) {
			if *done {
				return State{Phase: Done}, nil
			}
			return State{Phase: ToDo}, nil
		},
		Apply: func(context.Context, Record) error {
			*done = true
			return nil
		},
	})
	return &s.Steps[len(s.Steps)-1]
}

func (s *script) wantLog(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(s.log, want) {
		t.Errorf("log is %q, want %q", s.log, want)
	}
}

func TestRunMakesWhatIsNotDone(t *testing.T) {
	s := newScript(t)
	a, b := true, false
	s.step("a", &a)
	s.step("b", &b)
	outcome, _, err := s.Run(context.Background())
	if outcome != Finished || err != nil {
		t.Fatalf("%s, %v", outcome, err)
	}
	s.wantLog(t, "a done", "b to do", "b applying", "b done")
}

func TestRunLooksAgainBeforeItTakesAway(t *testing.T) {
	s := newScript(t)
	a, b := false, false
	s.step("a", &a)
	s.step("b", &b)
	s.step("between", new(bool)).Apply = func(context.Context, Record) error { return nil }
	s.Steps[2].Check = func(context.Context, Record) (State, error) {
		if !b {
			return State{Phase: ToDo}, nil
		}
		if !slices.Contains(s.log, "c to do") {
			a = false // somebody undoes a while we were here
		}
		return State{Phase: Done}, nil
	}
	c := false
	s.step("c", &c).Resurvey = true
	if outcome, _, err := s.Run(context.Background()); outcome != Finished || err != nil {
		t.Fatalf("%s, %v", outcome, err)
	}
	redo := slices.Index(s.log, "c to do")
	if !slices.Contains(s.log[redo:], "a applying") {
		t.Errorf("a was not made again before c was: %q", s.log)
	}
	if slices.Index(s.log, "c applying") < redo+slices.Index(s.log[redo:], "a applying") {
		t.Errorf("c was applied although a was false: %q", s.log)
	}
}

func TestRunStopsWaiting(t *testing.T) {
	for _, c := range []struct {
		name    string
		timeout time.Duration
		state   State
		looks   int // how many looks until it is done; 0 is never
		want    Outcome
	}{
		{"when the time is up", time.Millisecond, State{Phase: Waiting}, 0, UnderWay},
		{"at once when told not to wait", 0, State{Phase: Waiting}, 0, UnderWay},
		{"not while a known time has not come", time.Millisecond, State{Phase: Waiting, Until: noon}, 3, Finished},
		{"but then too when told not to wait", 0, State{Phase: Waiting, Until: noon}, 0, UnderWay},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScript(t)
			s.Timeout = c.timeout
			looks := 0
			s.Steps = []Step{{Name: "wait", Check: func(context.Context, Record) (State, error) {
				if looks++; looks == c.looks {
					return State{Phase: Done}, nil
				}
				return c.state, nil
			}}}
			outcome, _, err := s.Run(context.Background())
			if outcome != c.want || err != nil {
				t.Errorf("%s, %v; want %s", outcome, err, c.want)
			}
		})
	}
}

// A client that comes and goes makes drain true and false in turn: that, too, comes to an end.
func TestRunStopsGoingBackAndForth(t *testing.T) {
	s := newScript(t)
	s.Timeout = 20 * time.Millisecond
	looks := 0
	s.Steps = []Step{
		{Name: "drain", Check: func(context.Context, Record) (State, error) {
			if looks++; looks%2 == 0 {
				return State{Phase: Waiting}, nil
			}
			return State{Phase: Done}, nil
		}},
		{Name: "revoke", Resurvey: true, Apply: func(context.Context, Record) error { return nil },
			Check: func(context.Context, Record) (State, error) { return State{Phase: ToDo}, nil }},
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if outcome, _, err := s.Run(ctx); outcome != UnderWay || err != nil {
		t.Errorf("%s, %v; want %s", outcome, err, UnderWay)
	}
}

func TestRunTriesAgainWhatMayPass(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{fmt.Errorf("dialing: %w", ErrUnavailable), true},
		{fmt.Errorf("writing: %w", ErrConflict), true},
		{fmt.Errorf("evicting: %w", ErrNotYet), true},
		{errors.New("permission denied"), false},
		{Refuse(errors.New("a superuser")), false},
	} {
		s := newScript(t)
		a := false
		tries := 0
		s.step("a", &a).Apply = func(context.Context, Record) error {
			if tries++; tries == 1 {
				return c.err
			}
			a = true
			return nil
		}
		_, _, err := s.Run(context.Background())
		if again := err == nil && tries == 2; again != c.want {
			t.Errorf("%v: tried %d times and ended with %v", c.err, tries, err)
		}
		if err != nil && !errors.Is(err, c.err) {
			t.Errorf("%v came out as %v", c.err, err)
		}
	}
}

func TestRunStopsWhenSomebodyDecidesOtherwise(t *testing.T) {
	s := newScript(t)
	a, b := false, false
	s.step("a", &a).Apply = func(context.Context, Record) error {
		a = true
		s.decide(Intent{From: 2, To: 1, Attempt: 2, Back: true, By: "bob"})
		return nil
	}
	s.step("b", &b)
	_, _, err := s.Run(context.Background())
	if !errors.Is(err, ErrSuperseded) || b {
		t.Errorf("went on, to %v, after bob had decided otherwise", err)
	}
}

// Nothing was changed before the decision is on record: what was refused until then has nothing to undo.
func TestEventsSayWhetherTheRotationHasStarted(t *testing.T) {
	s := newScript(t)
	s.store.pending = nil // no intent is on record
	decided := false
	begin := s.step("decide", &decided)
	begin.Decides = true
	begin.Apply = func(context.Context, Record) error {
		decided = true
		s.decide(s.Intent)
		return nil
	}
	s.step("b", new(bool))
	s.Emit = func(e Event) { s.log = append(s.log, fmt.Sprintf("%s %s %v", e.Step, e.State, e.Started)) }
	if outcome, _, err := s.Run(context.Background()); outcome != Finished || err != nil {
		t.Fatalf("%s, %v", outcome, err)
	}
	s.wantLog(t, "decide to do false", "decide applying false", "decide done true", "b to do true", "b applying true", "b done true")
}

func TestRunAsks(t *testing.T) {
	for _, c := range []struct {
		name  string
		phase Phase
		ask   string
		kind  string
		made  bool // Apply is what is agreed to
	}{
		{"before a step that wants it", ToDo, "really?", ConsentProceed, true},
		{"before it passes what nothing proved", Doubtful, "", ConsentUnproven, false},
		{"before it makes what somebody else undid", Stale, "", ConsentStale, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := func(consent func(context.Context, Question) error) (made bool, err error) {
				s := newScript(t)
				s.Consent = consent
				s.Steps = []Step{{
					Name: "x", Ask: c.ask,
					Check: func(context.Context, Record) (State, error) {
						if made {
							return State{Phase: Done}, nil
						}
						return State{Phase: c.phase}, nil
					},
					Apply: func(context.Context, Record) error { made = true; return nil },
				}}
				_, _, err = s.Run(context.Background())
				return made, err
			}
			if made, err := run(nil); !errors.Is(err, ErrConsent) || made {
				t.Errorf("with nobody to ask: made %v, %v", made, err)
			}
			var asked []Question
			made, err := run(func(_ context.Context, q Question) error { asked = append(asked, q); return nil })
			if err != nil || made != c.made || len(asked) != 1 || asked[0].Kind != c.kind {
				t.Errorf("made %v, asked %v, %v", made, asked, err)
			}
		})
	}
}

// What a guard has to say is part of the question.
func TestRunAsksForWhatTheGuardFound(t *testing.T) {
	s := newScript(t)
	var asked string
	s.Consent = func(_ context.Context, q Question) error { asked = q.Text; return ErrConsent }
	s.Steps = []Step{{
		Name: StepBegin, Ask: "really?",
		Check: func(context.Context, Record) (State, error) { return State{Phase: ToDo}, nil },
		Guard: func(context.Context, Record) (State, error) {
			return State{Phase: Done, Items: []Item{{Name: "deployment/a", Note: "strategy Recreate"}, {Name: "deployment/b", Note: "no probe"}}}, nil
		},
		Apply: func(context.Context, Record) error { t.Error("applied without consent"); return nil },
	}}
	_, _, err := s.Run(context.Background())
	if want := "really?; deployment/a: strategy Recreate; deployment/b: no probe"; asked != want || !errors.Is(err, ErrConsent) {
		t.Errorf("asked %q, %v; want %q", asked, err, want)
	}
}

func TestRunEndsWhenAStepHasFailed(t *testing.T) {
	s := newScript(t)
	s.Steps = []Step{{Name: "rollout", Check: func(context.Context, Record) (State, error) {
		return State{Phase: Failed, Note: "1 of 3 pods", Items: []Item{{Name: "pod/c", Phase: Failed, Note: "ImagePullBackOff"}}}, nil
	}}}
	_, _, err := s.Run(context.Background())
	var failed *FailedError
	if !errors.As(err, &failed) || err.Error() != "rollout failed: 1 of 3 pods; pod/c: ImagePullBackOff" {
		t.Errorf("%v", err)
	}
}

func TestRunIsLimited(t *testing.T) {
	s := newScript(t)
	s.Limit, s.Timeout = time.Millisecond, 0
	s.Steps = []Step{{Name: "x", Check: func(ctx context.Context, _ Record) (State, error) {
		<-ctx.Done()
		return State{}, fmt.Errorf("asking: %w", ctx.Err())
	}}}
	if _, _, err := s.Run(context.Background()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// A run that was held before an effect looks again: what it saw before is old. The time that it was held is not the step's.
func TestRunLooksAgainAfterAPause(t *testing.T) {
	s := newScript(t)
	s.Timeout = time.Nanosecond
	a := false
	s.step("a", &a)
	holds := 0
	s.Hold = func(context.Context) (bool, error) {
		holds++
		return holds == 1, nil
	}
	if outcome, _, err := s.Run(context.Background()); outcome != Finished || err != nil {
		t.Fatalf("%s, %v", outcome, err)
	}
	if holds != 2 {
		t.Errorf("held %d times, want 2", holds)
	}
	s.wantLog(t, "a to do", "a applying", "a done")
	s.Hold = func(context.Context) (bool, error) { return false, context.Canceled }
	a = false
	if _, _, err := s.Run(context.Background()); !errors.Is(err, context.Canceled) {
		t.Errorf("a run that was ended while it was held: %v", err)
	}
}

// A soak of ten minutes is no reason to ask the API server for the record forty times in each ten seconds.
func TestRestIsLongerWhereNothingCanHappenSoon(t *testing.T) {
	woken := make(chan struct{})
	for _, c := range []struct {
		name string
		wake <-chan struct{}
		step Step
		s    State
		want time.Duration
	}{
		{"somebody may come and go", nil, Step{}, State{}, pause},
		{"consumers, of which nobody tells", nil, Step{Watched: true}, State{}, pause},
		{"consumers, of whose changes somebody tells", woken, Step{Watched: true}, State{}, longPause},
		{"not about consumers", woken, Step{}, State{}, pause},
		{"a soak", nil, Step{}, State{Until: noon.Add(10 * time.Minute)}, longPause},
		{"the end of one", nil, Step{}, State{Until: noon.Add(time.Second)}, pause},
		{"the very end of one", nil, Step{}, State{Until: noon.Add(pause / 2)}, pause / 2},
		{"a time that is past", nil, Step{}, State{Until: noon.Add(-time.Minute)}, pause},
	} {
		r := Runner{Wake: c.wake, Now: func() time.Time { return noon }}
		if got := r.pauseOf(c.step, c.s); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// What protects others is inspected before the first effect of every run, wherever it begins, once: whoever can write the record can
// have a run go on in the middle.
func TestWhatProtectsOthersIsInspectedBeforeTheFirstEffect(t *testing.T) {
	for _, done := range []bool{false, true} { // whether the step before is done already
		s := newScript(t)
		first, second := done, false
		s.step(StepBegin, &first)
		s.step(StepInstall, &second)
		inspected := 0
		refused := Refuse(errors.New("it is another's"))
		s.Protect = func(context.Context, Record) ([]Item, error) { inspected++; return nil, refused }
		if _, _, err := s.Run(t.Context()); !errors.Is(err, ErrRefused) || second || first != done {
			t.Errorf("the run came to %v, with %v and %v", err, first, second)
		}
		refused = nil
		if outcome, _, err := s.Run(t.Context()); outcome != Finished || err != nil || inspected != 2 {
			t.Errorf("%s, %v, inspected %d times", outcome, err, inspected)
		}
		asked := ""
		s.guarded, second = false, false
		s.Protect = func(context.Context, Record) ([]Item, error) {
			return []Item{{Name: "login", Consent: "altered", Phase: ToDo, MaySkip: true}}, nil
		}
		s.Consent = func(_ context.Context, q Question) error { asked = q.Kind; return ErrConsent }
		if _, _, err := s.Run(t.Context()); !errors.Is(err, ErrConsent) || asked != "altered" || second {
			t.Errorf("%v, asked for %q", err, asked)
		}
	}
}
