package load

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

func ok(context.Context, request) (reply, string) {
	return reply{Pod: "p", Login: "backend"}, ""
}

func TestRequestsStartOnScheduleThoughEarlierOnesAreSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(ctx context.Context, q request) (reply, string) {
			time.Sleep(3 * time.Second) // the test's own clock: no time passes
			return ok(ctx, q)
		}
		r := newRun(Config{Rate: 10, Duration: 2 * time.Second, MaxInFlight: 100}.withDefaults(), slow)
		r.begin(t.Context(), func() {})
		<-r.Done()
		s := r.Stop()
		if s.Requests != 20 && s.Requests != 21 || s.Failed != 0 {
			t.Errorf("%d requests, %d failed; want 10 a second for two seconds, none failed", s.Requests, s.Failed)
		}
		if s.Latency.Max != 3000 || s.Seconds != 2 {
			t.Errorf("slowest %v ms in a run of %v s, want 3000 in 2", s.Latency.Max, s.Seconds)
		}
	})
}

func TestRequestBeyondTheBoundIsNotSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := make(chan struct{}, 100)
		stuck := func(ctx context.Context, q request) (reply, string) {
			sent <- struct{}{}
			time.Sleep(time.Minute)
			return ok(ctx, q)
		}
		r := newRun(Config{Rate: 10, MaxInFlight: 3}.withDefaults(), stuck)
		r.begin(t.Context(), func() {})
		time.Sleep(950 * time.Millisecond)
		s := r.Stop()
		if len(sent) != 3 || s.Requests != 3 || s.OK != 3 || s.Failed != 0 || s.Unsent != 7 {
			t.Errorf("%d sent, %s; want 3 sent, all of them ok, and 7 not sent", len(sent), s.Line())
		}
	})
}

func TestStopLetsTheRequestsUnderWayFinish(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		patient := func(ctx context.Context, q request) (reply, string) {
			select {
			case <-time.After(time.Second):
				return ok(ctx, q)
			case <-ctx.Done():
				return reply{}, "given up"
			}
		}
		r := newRun(Config{Rate: 1}.withDefaults(), patient)
		r.begin(ctx, func() {})
		synctest.Wait()
		cancel()
		if s := r.Stop(); s.Requests != 1 || s.OK != 1 {
			t.Errorf("%d of %d ok, want the one under way to end well: %v", s.OK, s.Requests, s.Failures)
		}
		if again := r.Stop(); again.Requests != 1 {
			t.Errorf("second Stop counts %d requests, want 1", again.Requests)
		}
	})
}

func TestEveryMethodIsSentOnBothKindsOfConnection(t *testing.T) {
	for _, percent := range []int{10, 25, 50, 80} {
		r := newRun(Config{FreshPercent: percent}.withDefaults(), ok)
		type kind struct {
			method string
			fresh  bool
		}
		kinds := map[kind]int{}
		fresh := 0
		for n := range 1200 {
			q := r.request(n)
			kinds[kind{q.method, q.fresh}]++
			if q.fresh {
				fresh++
			}
		}
		if len(kinds) != 4 || fresh != 12*percent {
			t.Errorf("%d%%: kinds %v, %d of 1200 fresh; want 4 kinds, %d", percent, kinds, fresh, 12*percent)
		}
	}
}

func TestTokensAreAskedForAndThenCarried(t *testing.T) {
	r := newRun(Config{TokenEvery: 5}.withDefaults(), ok)
	if q := r.request(0); q.path != "/token" || q.method != http.MethodPost {
		t.Errorf("first request is %s %s, want a token", q.method, q.path)
	}
	if q := r.request(1); q.path != "/items" || q.token != "" {
		t.Errorf("with no token yet: %s carries %q", q.path, q.token)
	}
	r.wallet.put("t", time.Now().Add(time.Hour))
	if q := r.request(2); q.token != "t" {
		t.Errorf("carries %q, want the token", q.token)
	}
}

func TestStartRefusesWhatItCannotDo(t *testing.T) {
	for _, c := range []Config{
		{}, {URL: "backend"}, {URL: "https://backend"}, {URL: "http://backend", Rate: -1},
		{URL: "http://backend", FreshPercent: 101}, {URL: "http://backend", MaxInFlight: -1},
	} {
		if r, err := Start(t.Context(), c); err == nil {
			r.Stop()
			t.Errorf("%+v: no error", c)
		}
	}
}
