package rotation

import (
	"context"
	"slices"
	"time"
)

// toSkip are the items of s that hold its step up and that the operator has said to skip.
func (r *Runner) toSkip(step Step, s State) (names []string) {
	if step.Skip == nil {
		return nil
	}
	wanted := r.skipping
	if r.Skips != nil {
		wanted = append(slices.Clone(wanted), r.Skips()...)
	}
	for _, i := range s.Items {
		if i.MaySkip && i.Phase != Done && i.Phase != Skipped && slices.Contains(wanted, i.Name) {
			names = append(names, i.Name)
		}
	}
	return names
}

// Answer is what an operator wants done about gates that have failed.
type Answer string

// The answers. All are offered as long as nothing is lost by any of them.
const (
	AnswerWait Answer = "wait" // look for a while longer
	AnswerSkip Answer = "skip" // go on without those that have failed; recorded
	AnswerBack Answer = "back" // take the rotation back
)

// reconsider is how long an operator who has said to wait is not asked again.
const reconsider = time.Minute

// failed is what becomes of a run at a step that has failed: nil goes on. Only what may be skipped
// is left to the operator, if there is one; everything else fails the run, which is then taken
// back.
func (r *Runner) failed(ctx context.Context, step Step, s State) error {
	failed := &FailedError{Step: step.Name, State: s}
	if step.Skip == nil || r.Offer == nil {
		return failed
	}
	if r.now().Before(r.patient) || len(r.toSkip(step, s)) > 0 {
		return nil
	}
	answer, err := r.Offer(ctx, Question{Step: step.Name, Kind: ConsentGate, Text: s.detail()})
	switch {
	case err != nil:
		return err
	case answer == AnswerWait:
		r.patient = r.now().Add(reconsider)
	case answer == AnswerSkip:
		for _, i := range s.Items {
			if i.Phase == Failed {
				r.skipping = append(r.skipping, i.Name)
			}
		}
	default:
		return failed
	}
	return nil
}
