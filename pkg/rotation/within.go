package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// blink is how often the wall clock is looked at.
const blink = time.Second

// errLate ends what has used up its time by the wall clock. It may succeed when it is tried again.
var errLate = fmt.Errorf("its time was over before it ended, as after a sleep of this machine: %w", ErrUnavailable)

// within is a context that ends after d, by the wall clock too. The timer of a context stands still while a laptop
// sleeps: what had a second left in the evening would have it in the morning, whatever others have done at night.
func within(ctx context.Context, d time.Duration, wall func() time.Time) (context.Context, context.CancelFunc) {
	end := wall().Round(0).Add(d + blink) // without the monotonic reading, which sleeps too; awake, the timer comes first
	ctx, stop := context.WithTimeout(ctx, d)
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		clock := time.NewTicker(blink)
		defer clock.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-clock.C:
				if !wall().Round(0).Before(end) {
					cancel(errLate)
				}
			}
		}
	}()
	return ctx, func() { cancel(nil); stop() }
}

// late says that err comes from a wall clock that has run ahead of ctx's own timer.
func late(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errLate) {
		return fmt.Errorf("%w: %w", errLate, err)
	}
	return err
}
