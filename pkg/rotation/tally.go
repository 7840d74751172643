package rotation

import (
	"context"
	"fmt"
	"time"
)

// Tally is how many requests were refused, as the application's monitoring has it.
type Tally struct {
	// Count asks for it. Nil: nobody counts.
	Count func(ctx context.Context, since time.Time) (int64, error)
	Delay time.Duration // how far the monitoring may be behind
}

// tallied is the last step of an answer to a leak, which tells at its end what that has cost. It waits until the monitoring has seen
// it; what that does not tell keeps nothing from being done.
func (o *overlap) tallied(last Step) Step {
	if !o.intent.Compromised || o.Refused.Count == nil {
		return last
	}
	check, plan := last.Check, last.Plan
	last.Plan = func(ctx context.Context, rec Record) (lines []string, err error) {
		if plan != nil {
			lines, err = plan(ctx, rec)
		}
		return append(lines, fmt.Sprintf("then count the requests that were refused, after %v", o.Refused.Delay)), err
	}
	var done time.Time
	last.Check = func(ctx context.Context, rec Record) (State, error) {
		s, err := check(ctx, rec)
		if err != nil || s.Phase != Done {
			return s, err
		}
		now := o.Now()
		if done.IsZero() {
			done = now
		}
		if at := done.Add(o.Refused.Delay); now.Before(at) {
			return State{Phase: Waiting, Note: s.Note + "; what is left is to count the requests that were refused, once the monitoring has seen them", Items: s.Items, Until: at}, nil
		}
		n, err := o.Refused.Count(ctx, o.since())
		switch {
		case ctx.Err() != nil:
			return s, ctx.Err()
		case err != nil:
			s.Note += fmt.Sprintf("; how many requests were refused is not known: %v", err)
		default:
			s.Note += fmt.Sprintf("; %d requests were refused from %s to %s UTC", n, o.since().UTC().Format(time.TimeOnly), now.UTC().Format(time.TimeOnly))
		}
		return s, nil
	}
	return last
}
