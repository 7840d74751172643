package rotation

import (
	"context"
	"fmt"
)

// stage makes the values durable before anything depends on them: the one in use first, then the
// new one.
func (c core) stage() Step {
	return Step{
		Name:     StepStage,
		Section:  Before,
		Reached:  func(rec Record) bool { return rec.Intent != nil },
		Recorded: true,
		Goal:     "both values are saved in the cluster",
		Check: func(_ context.Context, rec Record) (State, error) {
			if unsaved(rec) {
				return State{Phase: ToDo, Note: fmt.Sprintf("%v, in use now, is not saved yet", c.intent.From)}, nil
			}
			t, ok := rec.Target()
			if !ok {
				return State{Phase: ToDo, Note: fmt.Sprintf("%v has no value yet", c.intent.To)}, nil
			}
			return State{Phase: Done, Note: fmt.Sprintf("%v is %s", t.V, t.ID)}, nil
		},
		Apply: c.save,
	}
}

// staged says whether both values are saved.
func staged(rec Record) bool {
	_, ok := rec.Target()
	return ok
}

// unsaved says whether the value in the application's Secret is the one this rotation leads away
// from, or back to, and is on no record yet.
func unsaved(rec Record) bool {
	_, saved := rec.Live[rec.Active()]
	_, retired := rec.Gone[rec.Active()]
	return !saved && !retired
}

func (c core) save(ctx context.Context, rec Record) error {
	if unsaved(rec) {
		found := rec.Current
		if found.V != 0 {
			return fmt.Errorf("saving the value in use as %v: it is on record as %v", rec.Active(), found.V)
		}
		found.V = rec.Active()
		return c.Store.Stage(ctx, rec.Revision, found)
	}
	if c.intent.Back {
		return Refuse(fmt.Errorf("%v has no value on record: there is no way back to it", c.intent.To))
	}
	current, ok := rec.Live[rec.Active()]
	if !ok {
		return fmt.Errorf("the value in use, %v, is retired: nothing to model a new one on", rec.Active())
	}
	made, err := c.System.Generate(ctx, c.intent.To, current)
	if err != nil {
		return err
	}
	made.V = c.intent.To
	return c.Store.Stage(ctx, rec.Revision, made)
}
