package rotation

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"
)

// A machine that sleeps in the middle of an effect wakes up with its time over, though no timer has run out.
func TestTheWallClockEndsAnEffect(t *testing.T) {
	var slept atomic.Int64
	wall := func() time.Time { return time.Now().Add(time.Duration(slept.Load())) }
	ctx, cancel := within(t.Context(), time.Hour, wall)
	defer cancel()
	slept.Store(int64(2 * time.Hour))
	select {
	case <-ctx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("it goes on as if the time were not over")
	}
	if err := late(ctx, ctx.Err()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("%v: want an error that may pass", err)
	}
}

// Without a sleep it ends at its time, or with what it is a part of.
func TestWithin(t *testing.T) {
	ctx, cancel := within(t.Context(), time.Millisecond, time.Now)
	defer cancel()
	<-ctx.Done()
	if err := late(ctx, ctx.Err()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v: want %v", err, context.DeadlineExceeded)
	}
	whole, end := context.WithCancel(t.Context())
	part, cancel := within(whole, time.Hour, time.Now)
	defer cancel()
	end()
	<-part.Done()
	if err := late(part, part.Err()); err != context.Canceled {
		t.Errorf("%v: want %v", err, context.Canceled)
	}
}
