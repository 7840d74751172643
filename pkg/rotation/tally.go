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

// counting reports, at the end of an emergency, how many requests were refused. A nil counting
// reports nothing.
type counting struct {
	Tally
	since time.Time // when the operator gave the command
	now   func() time.Time

	done time.Time // since when this run has seen that all else is done
}

// plan adds what it does to the lines of the last step.
func (c *counting) plan(lines []string) []string {
	if c == nil {
		return lines
	}
	return append(lines, fmt.Sprintf("then count the requests that were refused, after %v", c.Delay))
}

// check adds the count to the state of the last step. It waits until the monitoring has seen all
// requests. A count that fails does not fail the step.
func (c *counting) check(ctx context.Context, s State) (State, error) {
	if c == nil || s.Phase != Done {
		return s, nil
	}
	now := c.now()
	if c.done.IsZero() {
		c.done = now
	}
	if at := c.done.Add(c.Delay); now.Before(at) {
		return State{Phase: Waiting, Note: s.Note + "; what is left is to count the requests that were refused, once the monitoring has seen them", Items: s.Items, Until: at}, nil
	}
	n, err := c.Count(ctx, c.since)
	switch {
	case ctx.Err() != nil:
		return s, ctx.Err()
	case err != nil:
		s.Note += fmt.Sprintf("; how many requests were refused is not known: %v", err)
	default:
		s.Note += fmt.Sprintf("; %d requests were refused from %s to %s UTC", n, c.since.UTC().Format(time.TimeOnly), now.UTC().Format(time.TimeOnly))
	}
	return s, nil
}
