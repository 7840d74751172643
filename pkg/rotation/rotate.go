package rotation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rotation is a target with all that a run of it needs. Running, resuming and aborting are one
// call: what differs is what is wanted, and what the record says.
type Rotation struct {
	Target string
	Setup
	List List // nil: Overlap

	Enter   func(Intent, []Step)                            // told of each list before it is walked, that of the way back too; nil: nobody is
	Emit    func(Event)                                     // nil: nobody listens
	Consent func(context.Context, Question) error           // nil: nothing is agreed to
	Hold    func(context.Context) (held bool, err error)    // see Runner
	Offer   func(context.Context, Question) (Answer, error) // see Runner
	Skips   func() []string                                 // see Runner
	Timeout time.Duration                                   // see Runner
	Limit   time.Duration                                   // see Runner
	Wake    <-chan struct{}                                 // see Runner
}

// Result is how a run ended.
type Result struct {
	Intent  Intent
	Outcome Outcome
	Waiting State // what an UnderWay run was waiting for
}

// AbortedError says that a rotation failed by itself and was taken back. Back is what kept the way
// back from its end, nil when it got there.
type AbortedError struct {
	Cause error
	Back  error
}

// Error names the cause first.
func (e *AbortedError) Error() string {
	if e.Back != nil {
		return fmt.Sprintf("%v; taking it back: %v", e.Cause, e.Back)
	}
	return fmt.Sprintf("%v; it was taken back, and nothing is left of it", e.Cause)
}

// Unwrap gives both.
func (e *AbortedError) Unwrap() []error { return []error{e.Cause, e.Back} }

// Decide reads the record and says what a run that wants w works for.
func (r Rotation) Decide(ctx context.Context, w Want) (Intent, error) {
	rec, err := r.Store.Load(ctx)
	if err != nil {
		return Intent{}, err
	}
	return Decide(rec, r.at(w))
}

// Run makes what w wants, from wherever it is now. A rotation whose rollout or gate fails by itself
// is taken back, unless its old version has leaked.
func (r Rotation) Run(ctx context.Context, w Want) (Result, error) {
	result, err := r.once(ctx, w)
	var failed *FailedError
	if !errors.As(err, &failed) || result.Intent.Back || result.Intent.Compromised {
		return result, err
	}
	back, backErr := r.once(ctx, w.Abort())
	if backErr == nil && back.Outcome == UnderWay {
		backErr = fmt.Errorf("still under way: %s", back.Waiting.detail())
	}
	return back, &AbortedError{Cause: err, Back: backErr}
}

func (r Rotation) once(ctx context.Context, w Want) (Result, error) {
	intent, err := r.Decide(ctx, w)
	if err != nil {
		return Result{}, err
	}
	list := r.list(intent, w)
	steps, err := until(list, w.Until)
	if err != nil {
		return Result{Intent: intent}, err
	}
	run := r.runner(intent, steps)
	if r.Enter != nil {
		r.Enter(intent, run.Steps)
	}
	outcome, waiting, err := run.Run(ctx)
	if outcome == Finished && len(steps) < len(list) {
		outcome, waiting = UnderWay, State{Phase: Waiting, Note: "stopped after " + w.Until + ", as asked"}
	}
	return Result{Intent: intent, Outcome: outcome, Waiting: waiting}, err
}

// Steps is the list that a run which wants w walks, and the intent it is for. It changes nothing.
func (r Rotation) Steps(ctx context.Context, w Want) (Intent, []Step, error) {
	intent, err := r.Decide(ctx, w)
	if err != nil {
		return Intent{}, nil, err
	}
	steps, err := until(r.list(intent, w), w.Until)
	return intent, steps, err
}

// Survey looks at every step of the present intent, or of w's where there is none, and changes
// nothing.
func (r Rotation) Survey(ctx context.Context) (Record, []Step, []State, error) {
	rec, err := r.Store.Load(ctx)
	if err != nil || rec.Intent == nil {
		return rec, nil, nil, err
	}
	r.Window = 0 // one look is all that a survey has
	r.Setup = r.atOnce()
	run := r.runner(*rec.Intent, r.list(*rec.Intent, Want{}))
	return rec, run.Steps, run.Survey(ctx), nil
}

// list makes the checklist of one intent, which was decided from w.
func (r Rotation) list(i Intent, w Want) []Step {
	r.Want = r.at(w)
	if r.List == nil {
		return Overlap(r.Setup, i)
	}
	return r.List(r.Setup, i)
}

// runner walks the list of one intent.
func (r Rotation) runner(i Intent, steps []Step) *Runner {
	return &Runner{
		Target: r.Target, Ledger: r.Store, Intent: i, Mine: i.Mine, Steps: steps,
		Emit: r.Emit, Consent: r.Consent, Hold: r.Hold, Offer: r.Offer, Skips: r.Skips, Timeout: r.Timeout, Limit: r.Limit, Wake: r.Wake, Now: r.Now,
		Protect: func(ctx context.Context, rec Record) ([]Item, error) { return r.protect(ctx, i, rec) },
	}
}

// protect inspects what keeps a run of intent i from harming others.
func (r Rotation) protect(ctx context.Context, i Intent, rec Record) (all []Item, err error) {
	rec = rec.Clone()
	rec.Intent = &i
	for _, inspect := range r.Protect {
		items, err := inspect(ctx, rec)
		if err != nil {
			return nil, err
		}
		for _, item := range items {
			item.MaySkip = item.Consent != "" && item.Phase != Done
			all = append(all, item)
		}
	}
	return all, nil
}

// ErrNoStep says that a run was to stop after a step that its list does not have.
var ErrNoStep = errors.New("no such step in this rotation")

// until cuts a list after the step of that name; "" leaves it whole.
func until(list []Step, name string) ([]Step, error) {
	i := slices.IndexFunc(list, func(s Step) bool { return s.Name == name })
	switch {
	case name == "":
		return list, nil
	case i < 0:
		return nil, WithHint(fmt.Errorf("stopping after %q: %w", name, ErrNoStep), "its steps are "+strings.Join(Names(list), ", "))
	}
	return list[:i+1], nil
}

func (r Rotation) at(w Want) Want {
	w.Now = r.now()
	return w
}

func (r Rotation) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}
