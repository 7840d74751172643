package rotation

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Runner walks a checklist: it looks at each step in turn, makes it true where it is not, and looks
// again. It keeps nothing that the cluster does not know: a run that is killed at any point is
// continued by another.
type Runner struct {
	Target string // the target's name, for the events
	Ledger Ledger
	Intent Intent
	Mine   func(Record) error // whether a record is still that of the intent, and can be relied on; nil: every record is
	Steps  []Step

	Emit    func(Event)                                     // nil: nobody listens
	Consent func(context.Context, Question) error           // nil: nothing is agreed to
	Hold    func(context.Context) (held bool, err error)    // asked before each effect, which it may keep waiting; nil: nothing does
	Offer   func(context.Context, Question) (Answer, error) // asked what to do about gates that have failed; nil: the run fails
	Skips   func() []string                                 // names of gates that the operator has said to skip so far; nil: none
	Protect func(context.Context, Record) ([]Item, error)   // inspected before the first effect; nil: nothing is
	Timeout time.Duration                                   // how long a step may wait for something that has no set time; 0: nothing is waited for
	Limit   time.Duration                                   // how long one look or one effect may take, by the wall clock; 0: no limit of its own
	Wake    <-chan struct{}                                 // says that a consumer has changed; nil: they are looked at more often instead
	Now     func() time.Time                                // nil: the local clock

	agreed   map[string]bool
	started  bool // the record holds the intent
	guarded  bool // Protect was inspected
	said     map[string]Event
	skipping []string  // what an answer to Offer has said to skip
	patient  time.Time // until when Offer is not asked again
}

// Outcome is how a run ended.
type Outcome string

// The outcomes of a run that met no error.
const (
	Finished Outcome = "finished"  // every step is done
	UnderWay Outcome = "under way" // something takes longer than the run was told to wait
)

// How long to rest between two looks at a step that waits, and at one that need not be looked at so
// soon.
const (
	pause     = 250 * time.Millisecond
	longPause = 2 * time.Second
)

// Run walks the list from its start to its end. UnderWay comes with the state that was waited for.
func (r *Runner) Run(ctx context.Context) (Outcome, State, error) {
	entered := map[int]time.Time{0: r.now()} // a step that is come back to has used some of its time
	applied := map[string]bool{}             // by how the step stood before
	for i := 0; i < len(r.Steps); {
		next, state, err := r.Advance(ctx, i)
		if next > i {
			i, applied = next, map[string]bool{}
			if _, before := entered[i]; !before {
				entered[i] = r.now()
			}
			continue
		}
		if err == nil && state.Phase == Paused {
			entered[i] = r.now()
			continue
		}
		if err == nil && state.Phase == Applying {
			if !applied[state.Note] {
				applied[state.Note] = true
				continue // look at once: most effects are visible as soon as they are made
			}
		}
		late := r.now().Sub(entered[i]) >= r.Timeout
		switch {
		case err != nil && (late || !r.retryable(err)):
			return "", state, fmt.Errorf("%s: %w", r.Steps[i].Name, err)
		case err != nil:
			r.say(r.Steps[i], State{Phase: Retrying, Note: err.Error()})
		case state.Phase == Failed:
			if err := r.failed(ctx, r.Steps[next], state); err != nil {
				return "", state, err
			}
		case late && (state.Until.IsZero() || r.Timeout == 0):
			return UnderWay, state, nil
		}
		if err := r.rest(ctx, r.Steps[i], state); err != nil {
			return "", state, err
		}
		i = next // an earlier one, where that has become false
	}
	return Finished, State{}, nil
}

// retryable says whether the same call may succeed a little later. Before the run has started, what
// cannot be reached ends it: most likely it was never there.
func (r *Runner) retryable(err error) bool {
	if errors.Is(err, ErrUnavailable) {
		return r.started
	}
	return errors.Is(err, ErrConflict) || errors.Is(err, ErrNotYet)
}

// Advance looks at step i and, where it is not done, does one thing about it. It gives the step to
// look at next: the one after i when i is done, an earlier one that has become false, or i again
// with the state it is in; Applying is the state of one that was applied.
func (r *Runner) Advance(ctx context.Context, i int) (next int, s State, err error) {
	step := r.Steps[i]
	rec, s, err := r.look(ctx, step)
	if err != nil {
		return i, s, err
	}
	if names := r.toSkip(step, s); len(names) > 0 {
		return i, State{Phase: Applying}, r.skip(ctx, step, rec, names)
	}
	switch s.Phase {
	case Done:
		return i + 1, s, nil
	case Doubtful:
		for _, d := range r.doubts(step, s) {
			if err := r.ask(ctx, step, d); err != nil {
				return i, s, err
			}
		}
		return i + 1, s, nil
	case Waiting, Failed:
		return i, s, nil
	case Stale:
		if err := r.ask(ctx, step, doubt{kind: ConsentStale, subjects: []string{s.Note}, text: s.detail()}); err != nil {
			return i, s, err
		}
	}
	if r.Hold != nil {
		if held, err := r.Hold(ctx); held || err != nil {
			return i, State{Phase: Paused}, err // what was seen before is old by now
		}
	}
	if step.Resurvey {
		if back, s, err := r.resurvey(ctx, i); err != nil || back != i {
			return back, s, err
		}
	}
	return r.act(ctx, i, rec, s)
}

// look checks a step against a fresh record. Once the intent is recorded, a record with another one
// ends the run.
func (r *Runner) look(ctx context.Context, step Step) (Record, State, error) {
	ctx, cancel := r.limit(ctx)
	defer cancel()
	rec, err := r.Ledger.Load(ctx)
	if err != nil {
		return rec, State{}, late(ctx, err)
	}
	if err := r.mine(rec); err == nil {
		r.started = true
	} else if !step.Decides {
		return rec, State{}, err
	}
	s, err := step.Check(ctx, rec)
	if err == nil {
		r.say(step, s)
	}
	return rec, s, late(ctx, err)
}

func (r *Runner) mine(rec Record) error {
	if r.Mine == nil {
		return nil
	}
	return r.Mine(rec)
}

// resurvey looks at all steps before i again: what takes something away must not stand on an old
// look.
func (r *Runner) resurvey(ctx context.Context, i int) (int, State, error) {
	for j, step := range r.Steps[:i] {
		_, s, err := r.look(ctx, step)
		if err != nil {
			return i, s, fmt.Errorf("looking at %s again: %w", step.Name, err)
		}
		if s.Phase != Done && (s.Phase != Doubtful || len(r.doubts(step, s)) > 0) {
			return j, s, nil
		}
	}
	return i, State{}, nil
}

// act applies step i once, if its guard and the operator allow it.
func (r *Runner) act(ctx context.Context, i int, rec Record, s State) (int, State, error) {
	step := r.Steps[i]
	if step.Apply == nil {
		return i, s, nil
	}
	if err := r.protect(ctx, step, rec, s); err != nil {
		return i, s, err
	}
	asked := State{Note: step.Ask}
	if step.Guard != nil {
		g, err := r.guard(ctx, step, rec)
		if err != nil || g.Phase != Done {
			return i, g, err
		}
		if asked.Items, err = r.askEach(ctx, step, s, g.Items); err != nil {
			return i, s, err
		}
	}
	if step.Ask != "" {
		if err := r.ask(ctx, step, doubt{kind: step.consent(), text: asked.detail()}); err != nil {
			return i, s, err
		}
	}
	s = State{Phase: Applying, Note: s.Note}
	r.say(step, s)
	if step.Long {
		return i, s, step.Apply(ctx, rec)
	}
	ctx, cancel := r.limit(ctx)
	defer cancel()
	return i, s, late(ctx, step.Apply(ctx, rec))
}

// protect inspects, before the first effect of a run, what keeps it from harming others.
func (r *Runner) protect(ctx context.Context, step Step, rec Record, s State) error {
	if r.Protect == nil || r.guarded {
		return nil
	}
	limited, cancel := r.limit(ctx)
	defer cancel()
	items, err := r.Protect(limited, rec)
	if err == nil {
		_, err = r.askEach(ctx, step, s, items)
	}
	r.guarded = err == nil
	return late(limited, err)
}

// askEach shows what was looked at before a step, and asks for each item that wants a consent of
// its own. It gives the others.
func (r *Runner) askEach(ctx context.Context, step Step, s State, items []Item) (others []Item, err error) {
	if len(items) > 0 {
		r.say(step, State{Phase: s.Phase, Note: s.Note, Items: items})
	}
	for _, i := range items {
		if !i.MaySkip {
			others = append(others, i)
			continue
		}
		if err := r.ask(ctx, step, doubt{kind: i.Consent, subjects: []string{i.Name}, text: i.Name + ": " + i.Note}); err != nil {
			return nil, err
		}
	}
	return others, nil
}

// skip has a step go on without some of its items.
func (r *Runner) skip(ctx context.Context, step Step, rec Record, names []string) error {
	ctx, cancel := r.limit(ctx)
	defer cancel()
	return late(ctx, step.Skip(ctx, rec, names))
}

func (r *Runner) guard(ctx context.Context, step Step, rec Record) (State, error) {
	ctx, cancel := r.limit(ctx)
	defer cancel()
	g, err := step.Guard(ctx, rec)
	if err == nil && g.Phase != Done {
		r.say(step, g)
	}
	return g, late(ctx, err)
}

// Survey looks at every step and changes nothing. A step that could not be looked at has its error
// as its note.
func (r *Runner) Survey(ctx context.Context) []State {
	states := make([]State, len(r.Steps))
	for i, step := range r.Steps {
		_, s, err := r.look(ctx, step)
		if err != nil {
			s = State{Phase: Failed, Note: err.Error()}
		}
		states[i] = s
	}
	return states
}

// say emits what a look found, once.
func (r *Runner) say(step Step, s State) {
	if r.Emit == nil {
		return
	}
	e := Event{
		Target: r.Target, From: r.Intent.From, To: r.Intent.To, Attempt: r.Intent.Attempt, Back: r.Intent.Back,
		Compromised: r.Intent.Compromised, Started: r.started, Step: step.Name, State: s.Phase, Note: s.Note, Items: s.Items, Until: s.Until,
	}
	if reflect.DeepEqual(r.said[step.Name], e) {
		return
	}
	if r.said == nil {
		r.said = map[string]Event{}
	}
	r.said[step.Name] = e
	e.Time = r.now()
	r.Emit(e)
}

func (r *Runner) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if r.Limit == 0 {
		return ctx, func() {}
	}
	return within(ctx, r.Limit, time.Now)
}

func (r *Runner) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// rest waits before the next look at a step: until a consumer has changed where the step is about
// those.
func (r *Runner) rest(ctx context.Context, step Step, s State) error {
	wake := r.Wake
	if !step.Watched {
		wake = nil
	}
	t := time.NewTimer(r.pauseOf(step, s))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
	case <-wake:
	}
	return nil
}

// pauseOf is how long to rest: longer where somebody tells of a change, and where what is waited
// for is still a while off; shorter where that is about to be over.
func (r *Runner) pauseOf(step Step, s State) time.Duration {
	left := s.Until.Sub(r.now())
	switch {
	case r.Wake != nil && step.Watched || left > longPause:
		return longPause
	case left > 0 && left < pause:
		return left
	}
	return pause
}
