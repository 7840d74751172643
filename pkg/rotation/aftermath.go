package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Aftermath ends what came of a leaked value and outlives it: sessions that were opened with it.
type Aftermath interface {
	// Look says what would be ended, with how many there are now, for people. It changes nothing.
	Look(ctx context.Context) ([]string, error)
	// End ends them, and says how many there were. It can be repeated. Where there are many it ends
	// with [ErrNotYet] once it got some way, and the next call goes on from there.
	End(ctx context.Context) (what string, err error)
	// Warning is what else goes with them, as the end of a sentence; "" where nothing does.
	Warning() string
}

// MarkEnded is when what came of a leaked value was ended. New sessions look the same as old ones:
// that it was done can't be observed later.
const MarkEnded = "ended"

// sessions are those that were opened with a leaked value.
type sessions struct {
	core
	aftermath Aftermath
}

// step ends what was opened with the leaked value. Not before every pod refuses it: a list of
// tokens that are not to be accepted any more may stand beside the sessions, and would let them in
// again if it went first.
func (k sessions) step() Step {
	ended := ""
	return Step{
		Name:    StepSessions,
		Section: After,
		Goal:    "what was opened with the old version has ended",
		Check: func(_ context.Context, rec Record) (State, error) {
			at := k.mark(rec, MarkEnded)
			switch {
			case at.IsZero():
				return State{Phase: ToDo, Note: "sessions of before are still there"}, nil
			case ended == "":
				return State{Phase: Done, Note: "ended at " + at.UTC().Format(time.TimeOnly) + " UTC"}, nil
			}
			return State{Phase: Done, Note: ended}, nil
		},
		Apply: func(ctx context.Context, rec Record) error {
			what, err := k.endAll(ctx)
			if err != nil {
				return fmt.Errorf("ending sessions: %w", err)
			}
			ended = what
			return k.noteMark(ctx, rec, MarkEnded)
		},
		Plan:     func(ctx context.Context, _ Record) ([]string, error) { return k.aftermath.Look(ctx) },
		Resurvey: true,
		Long:     true,
	}
}

// endAll ends what came of a leaked value, for as long as that gets on.
func (k sessions) endAll(ctx context.Context) (what string, _ error) {
	some := func() error {
		ctx, cancel := context.WithTimeout(ctx, someTime)
		defer cancel()
		if err := k.fence(ctx); err != nil {
			return err
		}
		var err error
		what, err = k.aftermath.End(ctx)
		return err
	}
	for {
		if err := some(); !errors.Is(err, ErrNotYet) {
			return what, err
		}
	}
}

// someTime is how long one call to end what came of a leaked value may take.
const someTime = time.Minute
