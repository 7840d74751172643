package load

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// serving is a machine that serves so many requests a second, one after the other; 0 serves all at once.
func serving(rate float64) func(context.Context, request) (reply, string) {
	turn := make(chan struct{}, 1)
	return func(ctx context.Context, q request) (reply, string) {
		if rate > 0 {
			turn <- struct{}{}
			time.Sleep(time.Duration(float64(time.Second) / rate)) // the test's own clock
			<-turn
		}
		return ok(ctx, q)
	}
}

func TestCalibrateHalvesTheRateUntilTheMachineServesIt(t *testing.T) {
	for _, tt := range []struct{ capacity, want float64 }{{0, 200}, {450, 200}, {250, 100}, {150, 50}, {15, 6.25}} {
		synctest.Test(t, func(t *testing.T) {
			c, err := calibrate(t.Context(), Config{}.withDefaults(), serving(tt.capacity))
			if err != nil || c.Rate != tt.want {
				t.Errorf("a machine that serves %v a second: rate %v, error %v; want %v", tt.capacity, c.Rate, err, tt.want)
			}
		})
	}
}

func TestCalibrateSaysWhatIsWrongWhereNoRateIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if c, err := calibrate(t.Context(), Config{}.withDefaults(), serving(1)); !errors.Is(err, ErrTooSlow) {
			t.Errorf("rate %v, error %v; want %v", c.Rate, err, ErrTooSlow)
		}
		failing := func(context.Context, request) (reply, string) { return reply{}, reasonRefused }
		if _, err := calibrate(t.Context(), Config{}.withDefaults(), failing); err == nil || errors.Is(err, ErrTooSlow) {
			t.Errorf("error %v; want the failures, and no word of a slow machine", err)
		}
	})
}

func TestCalibrateEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if _, err := calibrate(ctx, Config{}.withDefaults(), ok); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}
