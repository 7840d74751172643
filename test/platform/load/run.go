package load

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// Run is a load under way. Its methods are safe for concurrent use.
type Run struct {
	config  Config
	send    func(ctx context.Context, q request) (reply, string)
	tally   *tally
	wallet  wallet
	slots   chan struct{}
	started time.Time

	stop  context.CancelFunc
	done  chan struct{} // closed when the last request has ended
	ended time.Time     // when the last request was started; to be read after done
}

// Start begins to send requests and returns at once. They stop when ctx ends, when Stop is called, or after
// Config.Duration; requests already sent are given their time to end.
func Start(ctx context.Context, c Config) (*Run, error) {
	c = c.withDefaults()
	if err := c.validate(); err != nil {
		return nil, err
	}
	client := newClient(c)
	r := newRun(c, client.do)
	r.begin(ctx, client.close)
	return r, nil
}

func newRun(c Config, send func(context.Context, request) (reply, string)) *Run {
	return &Run{
		config: c, send: send, tally: newTally(),
		slots: make(chan struct{}, c.MaxInFlight), started: time.Now(), done: make(chan struct{}),
	}
}

func (r *Run) begin(ctx context.Context, atEnd func()) {
	requests := context.WithoutCancel(ctx) // what was sent may finish
	if r.config.Duration > 0 {
		ctx, r.stop = context.WithTimeout(ctx, r.config.Duration)
	} else {
		ctx, r.stop = context.WithCancel(ctx)
	}
	go func() {
		defer close(r.done)
		defer r.stop()
		var flying sync.WaitGroup
		r.schedule(ctx, requests, &flying)
		r.ended = time.Now()
		flying.Wait()
		atEnd()
	}()
}

// Done is closed when the run has ended and all its requests too.
func (r *Run) Done() <-chan struct{} { return r.done }

// Stop ends the run, waits for the requests under way, and gives the result. It may be called more than once.
func (r *Run) Stop() Summary {
	r.stop()
	<-r.done
	return r.summary(r.ended)
}

// Snapshot gives the result so far.
func (r *Run) Snapshot() Summary {
	select {
	case <-r.done:
		return r.summary(r.ended)
	default:
		return r.summary(time.Now())
	}
}

func (r *Run) summary(until time.Time) Summary {
	s := r.tally.summary()
	s.URL, s.Started = r.config.URL, r.started
	s.Seconds = until.Sub(r.started).Round(time.Millisecond).Seconds()
	if s.Seconds > 0 {
		s.Rate = float64(int(float64(s.Requests)/s.Seconds*10)) / 10
	}
	return s
}

// schedule starts request n at n/rate seconds, until ctx ends. When it wakes late it catches up at once: the latency
// counts from when each request was due, so nothing is glossed over.
func (r *Run) schedule(ctx, requests context.Context, flying *sync.WaitGroup) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for n := 0; ; n++ {
		due := r.started.Add(time.Duration(float64(n) / r.config.Rate * float64(time.Second)))
		timer.Reset(time.Until(due))
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		q := r.request(n)
		select {
		case r.slots <- struct{}{}:
			flying.Go(func() { r.one(requests, q, due) })
		default:
			r.tally.add(outcome{due: due, fresh: q.fresh, unsent: true})
		}
	}
}

func (r *Run) one(ctx context.Context, q request, due time.Time) {
	defer func() { <-r.slots }()
	answer, reason := r.send(ctx, q)
	if answer.Token != "" {
		r.wallet.put(answer.Token, answer.Expires)
	}
	r.tally.add(outcome{due: due, latency: time.Since(due), fresh: q.fresh, reply: answer, reason: reason})
}

// request gives the n-th request. The kinds follow patterns of different lengths, so that each method is sent on
// fresh and on kept connections.
func (r *Run) request(n int) request {
	fresh := (n*r.config.FreshPercent)%100 < r.config.FreshPercent
	if every := r.config.TokenEvery; every > 0 && n%every == 0 {
		return request{method: http.MethodPost, path: "/token", fresh: fresh}
	}
	q := request{method: http.MethodGet, path: "/items", fresh: fresh, token: r.wallet.take(time.Now())}
	if (n/3)%2 == 0 {
		q.method, q.body = http.MethodPost, fmt.Sprintf("item %d", n)
	}
	return q
}
