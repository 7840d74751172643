package load

import (
	"context"
	"fmt"
	"time"
)

const (
	warmUp   = time.Second     // of a trial, before it counts
	trial    = 2 * time.Second // of which all requests must be served
	calm     = 250 * time.Millisecond
	halvings = 5
)

// Calibrate gives c with the rate that this machine serves now, while nothing is rotated: c.Rate, or the first of its halves. Each is
// tried at twice the rate, so that a rollout has as much of the machine as the requests: for two seconds no request may fail, be
// slow or not be sent, and 99 of 100 must be served within 250 ms. Where the machine serves none of six rates the error wraps
// ErrTooSlow; where requests fail even at the lowest, it says how.
func Calibrate(ctx context.Context, c Config) (Config, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return c, err
	}
	client := newClient(c)
	defer client.close()
	return calibrate(ctx, c, client.do)
}

func calibrate(ctx context.Context, c Config, send func(context.Context, request) (reply, string)) (Config, error) {
	for n := 0; ; n++ {
		s := tried(ctx, c, send)
		if err := ctx.Err(); err != nil {
			return c, err
		}
		if s.Err() == nil && s.Slow == 0 && s.Latency.P99 <= millis(calm) {
			return c, nil
		}
		switch {
		case n < halvings:
		case s.Failed > 0:
			return c, fmt.Errorf("before anything was rotated: %w", s.Err())
		default:
			return c, fmt.Errorf("%w: %s", ErrTooSlow, s.Line())
		}
		c.Rate /= 2
	}
}

// tried is what becomes of requests at twice the rate of c once connections are open.
func tried(ctx context.Context, c Config, send func(context.Context, request) (reply, string)) Summary {
	var s Summary
	c.Rate *= 2
	for _, c.Duration = range []time.Duration{warmUp, trial} {
		r := newRun(c, send)
		r.begin(ctx, func() {})
		<-r.Done()
		s = r.Stop()
	}
	return s
}
