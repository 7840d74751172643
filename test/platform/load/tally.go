package load

import (
	"maps"
	"sync"
	"time"
)

// keptFailures is how many failures a summary shows one by one; all are counted.
const keptFailures = 20

// SlowAfter is the time from when a request was due after which a reply is slow.
const SlowAfter = 2 * time.Second

// outcome is what became of one request.
type outcome struct {
	due     time.Time     // when the schedule wanted it sent
	latency time.Duration // from due to the end of the reply, or to the failure
	fresh   bool          // on a connection of its own
	reply   reply         // who answered; filled as far as the reply said
	reason  string        // why it failed; empty when it did not
	unsent  bool          // too many were in flight: nothing was sent, and nothing has failed
}

// tally adds up outcomes. It is safe for concurrent use.
type tally struct {
	mu       sync.Mutex
	ok       int
	slow     int
	unsent   int
	failures map[string]int
	first    []Failure
	kinds    map[string]Count
	logins   map[string]Seen
	pods     map[string]Seen
	keys     map[string]Seen
	messages map[string]Messages
	latency  histogram
}

func newTally() *tally {
	return &tally{
		failures: map[string]int{},
		kinds:    map[string]Count{},
		logins:   map[string]Seen{},
		pods:     map[string]Seen{},
		keys:     map[string]Seen{},
	}
}

func (t *tally) add(o outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if o.unsent {
		t.unsent++
		return
	}
	t.countKind(o)
	t.latency.add(o.latency)
	if o.reason != "" {
		t.countFailure(o)
		return
	}
	t.ok++
	if o.latency > SlowAfter {
		t.slow++
	}
	at := o.due.Add(o.latency)
	see(t.pods, o.reply.Pod, at)
	see(t.logins, o.reply.Login, at)
	see(t.keys, o.reply.Key, at)
	t.heard(o.reply.Pod, o.reply.Messages)
}

// heard keeps the latest of what a pod has said of its subscription.
func (t *tally) heard(pod string, m *Messages) {
	if m == nil || m.Count <= t.messages[pod].Count {
		return
	}
	if t.messages == nil {
		t.messages = map[string]Messages{}
	}
	t.messages[pod] = *m
}

func (t *tally) countKind(o outcome) {
	kind := "kept"
	if o.fresh {
		kind = "fresh"
	}
	c := t.kinds[kind]
	c.Requests++
	if o.reason != "" {
		c.Failed++
	}
	t.kinds[kind] = c
}

func (t *tally) countFailure(o outcome) {
	t.failures[o.reason]++
	if len(t.first) < keptFailures {
		t.first = append(t.first, Failure{
			At: o.due, Reason: o.reason, Fresh: o.fresh, Pod: o.reply.Pod, Millis: millis(o.latency),
		})
	}
}

// see counts one answer by name. An unnamed one is not counted: a token reply, say, has no login.
func see(by map[string]Seen, name string, at time.Time) {
	if name == "" {
		return
	}
	s := by[name]
	if s.Requests == 0 || at.Before(s.First) {
		s.First = at
	}
	if at.After(s.Last) {
		s.Last = at
	}
	s.Requests++
	by[name] = s
}

func (t *tally) summary() Summary {
	t.mu.Lock()
	defer t.mu.Unlock()
	failed := 0
	for _, n := range t.failures {
		failed += n
	}
	return Summary{
		Requests: t.ok + failed, OK: t.ok, Failed: failed, Slow: t.slow, Unsent: t.unsent,
		Failures: maps.Clone(t.failures), FirstFailures: append([]Failure(nil), t.first...),
		Connections: maps.Clone(t.kinds),
		Latency: Latency{
			P50: millis(t.latency.percentile(50)), P99: millis(t.latency.percentile(99)), Max: millis(t.latency.max),
		},
		Logins: maps.Clone(t.logins), Pods: maps.Clone(t.pods), Keys: maps.Clone(t.keys), Messages: maps.Clone(t.messages),
	}
}
