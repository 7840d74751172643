package load

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTallyCountsEachOutcomeOnce(t *testing.T) {
	at := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	ms := time.Millisecond
	tally := newTally()
	for _, o := range []outcome{
		{due: at, latency: 10 * ms, fresh: true, reply: reply{Pod: "backend-a", Login: "backend", Messages: &Messages{Count: 2, First: 7, Last: 8}}},
		{due: at.Add(time.Second), latency: 10 * ms, reply: reply{Pod: "backend-b", Login: "backend_v2"}},
		{due: at.Add(2 * time.Second), latency: 10 * ms, reply: reply{Pod: "backend-a", Login: "backend", Messages: &Messages{Count: 1, First: 7, Last: 7}}},
		{due: at.Add(3 * time.Second), latency: 10 * ms, reply: reply{Pod: "backend-b", Key: "jwt-secret-v1"}},
		{due: at.Add(4 * time.Second), latency: 30 * ms, fresh: true, reason: reasonReset},
		{due: at.Add(5 * time.Second), latency: 20 * ms, reply: reply{Pod: "backend-b"}, reason: "status 500: login refused"},
		{due: at.Add(6 * time.Second), unsent: true},
	} {
		tally.add(o)
	}
	want := Summary{
		Requests: 6, OK: 4, Failed: 2, Unsent: 1,
		Failures: map[string]int{reasonReset: 1, "status 500: login refused": 1},
		FirstFailures: []Failure{
			{At: at.Add(4 * time.Second), Reason: reasonReset, Fresh: true, Millis: 30},
			{At: at.Add(5 * time.Second), Reason: "status 500: login refused", Pod: "backend-b", Millis: 20},
		},
		Connections: map[string]Count{"fresh": {2, 1}, "kept": {4, 1}},
		Latency:     Latency{P50: 10.1, P99: 30, Max: 30},
		Logins: map[string]Seen{
			"backend":    {2, at.Add(10 * ms), at.Add(2*time.Second + 10*ms)},
			"backend_v2": {1, at.Add(time.Second + 10*ms), at.Add(time.Second + 10*ms)},
		},
		Pods: map[string]Seen{
			"backend-a": {2, at.Add(10 * ms), at.Add(2*time.Second + 10*ms)},
			"backend-b": {2, at.Add(time.Second + 10*ms), at.Add(3*time.Second + 10*ms)},
		},
		Messages: map[string]Messages{"backend-a": {Count: 2, First: 7, Last: 8}},
		Keys:     map[string]Seen{"jwt-secret-v1": {1, at.Add(3*time.Second + 10*ms), at.Add(3*time.Second + 10*ms)}},
	}
	if diff := cmp.Diff(want, tally.summary()); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func TestAnswersOutOfOrderKeepFirstAndLast(t *testing.T) {
	at := time.Date(2026, 9, 1, 12, 0, 0, 0, time.UTC)
	by := map[string]Seen{}
	for _, s := range []time.Duration{2, 1, 3} {
		see(by, "backend", at.Add(s*time.Second))
	}
	want := map[string]Seen{"backend": {3, at.Add(time.Second), at.Add(3 * time.Second)}}
	if diff := cmp.Diff(want, by); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
}

func TestOnlyTheFirstFailuresAreKeptButAllAreCounted(t *testing.T) {
	tally := newTally()
	for range 3 * keptFailures {
		tally.add(outcome{reason: reasonTimeout})
	}
	s := tally.summary()
	if s.Failed != 3*keptFailures || len(s.FirstFailures) != keptFailures {
		t.Errorf("%d failed, %d kept; want %d and %d", s.Failed, len(s.FirstFailures), 3*keptFailures, keptFailures)
	}
}

func TestLineNamesTheLoginsInTheOrderTheyCame(t *testing.T) {
	at := time.Now()
	s := Summary{
		Seconds: 61, Requests: 12200, OK: 12199, Failed: 1, Slow: 3, Unsent: 2, Rate: 200, Latency: Latency{P50: 4.2, P99: 18, Max: 77},
		Logins: map[string]Seen{"a_v2": {200, at.Add(time.Minute), at}, "backend": {11999, at, at}},
	}
	want := "   61s  12200 sent  12199 ok  1 failed  3 slow  2 not sent  200/s  p50 4 ms  p99 18 ms  max 77 ms  backend 11999, a_v2 200"
	if got := s.Line(); got != want {
		t.Errorf("line:\n%s\nwant:\n%s", got, want)
	}
}

// A machine that is too slow is told from a request that was lost.
func TestALostRequestIsToldFromASlowMachine(t *testing.T) {
	const lost = 1
	const tooSlow = 3
	for _, tt := range []struct {
		name string
		s    Summary
		want int
	}{
		{"all served", Summary{Requests: 1000, OK: 1000}, 0},
		{"one in a hundred late", Summary{Requests: 1000, OK: 1000, Slow: 10}, 0},
		{"more of them late", Summary{Requests: 1000, OK: 1000, Slow: 11}, tooSlow},
		{"one not sent", Summary{Requests: 1000, OK: 1000, Unsent: 1}, tooSlow},
		{"none served", Summary{}, tooSlow},
		{"one failed", Summary{Requests: 1000, OK: 999, Failed: 1}, lost},
		{"one failed on a slow machine", Summary{Requests: 1000, OK: 999, Failed: 1, Slow: 500, Unsent: 500}, lost},
	} {
		if got := ExitCode(tt.s.Err()); got != tt.want {
			t.Errorf("%s: %v, exit code %d, want %d", tt.name, tt.s.Err(), got, tt.want)
		}
	}
}

func TestALateReplyIsSlowAndNotFailed(t *testing.T) {
	tally := newTally()
	for _, latency := range []time.Duration{SlowAfter, SlowAfter + 1} {
		tally.add(outcome{latency: latency, reply: reply{Pod: "p", Login: "backend"}})
	}
	if s := tally.summary(); s.OK != 2 || s.Slow != 1 || s.Failed != 0 {
		t.Errorf("%s; want two ok, of which one is slow", s.Line())
	}
}
