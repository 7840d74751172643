package load

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// Summary is what a run came to, or has come to so far. Its JSON form is what the command prints.
type Summary struct {
	URL     string    `json:"url"`
	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`
	Rate    float64   `json:"requests_per_second"` // as reached

	Requests int `json:"requests"` // sent: OK and Failed
	OK       int `json:"ok"`
	Failed   int `json:"failed"`
	Slow     int `json:"slow"`     // of OK: served later than SlowAfter
	Unsent   int `json:"not_sent"` // too many were in flight

	Failures      map[string]int   `json:"failures"`                 // by reason
	FirstFailures []Failure        `json:"first_failures,omitempty"` // in the order they ended, at most 20
	Connections   map[string]Count `json:"connections"`              // fresh and kept
	Latency       Latency          `json:"latency_ms"`

	Logins map[string]Seen `json:"logins"` // by database login
	Pods   map[string]Seen `json:"pods"`
	Keys   map[string]Seen `json:"signing_keys"` // by the key id of the tokens issued
	// Messages is what each pod said last of its subscription.
	Messages map[string]Messages `json:"messages,omitempty"`
}

// Count is how many requests there were of a kind.
type Count struct {
	Requests int `json:"requests"`
	Failed   int `json:"failed"`
}

// Seen is how many requests something answered, with the ends of the first and of the last.
type Seen struct {
	Requests int       `json:"requests"`
	First    time.Time `json:"first"`
	Last     time.Time `json:"last"`
}

// Failure is one request that failed.
type Failure struct {
	At     time.Time `json:"at"` // when it was due
	Reason string    `json:"reason"`
	Fresh  bool      `json:"fresh_connection"`
	Pod    string    `json:"pod,omitempty"` // empty when no pod answered
	Millis float64   `json:"ms"`
}

// Latency holds milliseconds, counted from when each request was due. Percentiles may be 2% too high.
type Latency struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Line gives the summary in one line, for progress.
func (s Summary) Line() string {
	return fmt.Sprintf("%5.0fs  %d sent  %d ok  %d failed  %d slow  %d not sent  %.0f/s  p50 %.0f ms  p99 %.0f ms  max %.0f ms  %s",
		s.Seconds, s.Requests, s.OK, s.Failed, s.Slow, s.Unsent, s.Rate, s.Latency.P50, s.Latency.P99, s.Latency.Max, s.logins())
}

// ErrTooSlow is given where the machine was too slow for a run to show anything.
var ErrTooSlow = errors.New("the machine is too slow to judge")

// ExitCode is how a program that sends requests ends: 0, 1 for an error, or 3 where the machine was too slow to judge.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrTooSlow):
		return 3
	}
	return 1
}

// Err is nil where nothing was lost: every request was sent and served, at most one in a hundred of them slowly. It wraps ErrTooSlow
// where no request failed, and yet the run shows nothing.
func (s Summary) Err() error {
	switch {
	case s.Failed > 0:
		return fmt.Errorf("%d of %d requests failed: %v", s.Failed, s.Requests, s.Failures)
	case s.Unsent > 0 || s.Slow*100 > s.Requests || s.OK == 0:
		return fmt.Errorf("%w: none of %d requests failed, but %d were slow and %d were not sent", ErrTooSlow, s.Requests, s.Slow, s.Unsent)
	}
	return nil
}

// logins names the logins with their counts, in the order of their first answers.
func (s Summary) logins() string {
	names := slices.SortedFunc(maps.Keys(s.Logins), func(a, b string) int {
		return s.Logins[a].First.Compare(s.Logins[b].First)
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%s %d", name, s.Logins[name].Requests)
	}
	return strings.Join(names, ", ")
}

func millis(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Millisecond)*10) / 10
}
