package rotation

import (
	"context"
	"fmt"
	"strings"
)

// activation makes the target the version that the application's Secret says to use.
type activation struct {
	core
	view func(Record) View                            // the target as the active version
	well func(context.Context, Record) (State, error) // whether consumers are well before it; nil: that was checked before
	made func()                                       // called when this run has made it so; nil: nobody is told
}

func (a activation) step() Step {
	return Step{
		Name:     StepActivate,
		Section:  During,
		Recorded: true,
		Goal:     "the application's Secret holds the new version",
		Check:    a.check,
		Guard:    a.well,
		Apply: func(ctx context.Context, rec Record) error {
			err := a.Store.Publish(ctx, rec.Revision, a.view(rec))
			if err == nil && a.made != nil {
				a.made()
			}
			return err
		},
		Plan: func(ctx context.Context, rec Record) ([]string, error) {
			return a.Store.Plan(ctx, rec, a.view(rec))
		},
		Resurvey: a.intent.Back, // others may still be at work on the way there, and undo what was seen
	}
}

func (a activation) check(_ context.Context, rec Record) (State, error) {
	active := rec.Active()
	switch {
	case rec.Edited:
		return State{Phase: Stale, Note: fmt.Sprintf(
			"somebody else has changed the application's Secret since edition %d made %v active%s", rec.Latest().N, active, rec.editor())}, nil
	case active != a.intent.To:
		return rec.unpublished(fmt.Sprintf("%v is active", active)), nil
	case len(rec.Behind) > 0:
		return State{Phase: ToDo, Note: fmt.Sprintf("%v is active, and not yet in %s", active, strings.Join(rec.Behind, ", "))}, nil
	}
	return State{Phase: Done, Note: fmt.Sprintf("%v is active since edition %d", active, rec.Latest().N)}, nil
}

// editor is what is known of an edit, after a colon.
func (r Record) editor() string {
	if r.Editor == "" {
		return ""
	}
	return ": " + r.Editor
}
