package kube

import (
	"net/http"
	"testing"
	"time"
)

func TestClockFollowsTheServer(t *testing.T) {
	for _, c := range []struct {
		name  string
		ahead time.Duration
	}{
		{"the same time", 0}, {"an hour ahead", time.Hour}, {"an hour behind", -time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			clients := &Clients{clock: new(clock)}
			answers := clients.clock.watch(roundTripper(func(*http.Request) (*http.Response, error) {
				date := time.Now().Add(c.ahead).UTC().Format(http.TimeFormat)
				return &http.Response{Header: http.Header{"Date": {date}}}, nil
			}))
			if _, err := answers.RoundTrip(nil); err != nil {
				t.Fatal(err)
			}
			off := time.Until(clients.Now()) - c.ahead
			if off < -1100*time.Millisecond || off > 1100*time.Millisecond {
				t.Errorf("off by %v", off)
			}
		})
	}
}

func TestClockMovesNoMoreThanItMust(t *testing.T) {
	second := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) // what the header says
	for _, c := range []struct {
		sent, received, want time.Duration // after second
	}{
		{0, 0, 0},
		{700 * time.Millisecond, 700 * time.Millisecond, 0},  // the header was cut
		{900 * time.Millisecond, 1300 * time.Millisecond, 0}, // and the answer was slow
		{-300 * time.Millisecond, -100 * time.Millisecond, 100 * time.Millisecond},
		{1300 * time.Millisecond, 1400 * time.Millisecond, -300 * time.Millisecond},
		{-time.Hour, -time.Hour, time.Hour},
	} {
		var clock clock
		clock.set(second, second.Add(c.sent), second.Add(c.received))
		if got := time.Duration(clock.ahead.Load()); got != c.want {
			t.Errorf("sent %v, received %v: moved by %v, want %v", c.sent, c.received, got, c.want)
		}
	}
}
