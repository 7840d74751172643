package kube

import (
	"net/http"
	"sync/atomic"
	"time"
)

// clock is the API server's, as well as its answers tell: how far it is ahead of ours, from the Date header of
// the last one (RFC 9110, section 6.6.1; whole seconds). A laptop's own clock decides nothing.
type clock struct{ ahead atomic.Int64 }

// Now is the API server's time; before its first answer, ours.
func (c *Clients) Now() time.Time {
	if c.clock == nil {
		return time.Now()
	}
	return time.Now().Add(time.Duration(c.clock.ahead.Load()))
}

// watch is next, with the clock set by every answer.
func (c *clock) watch(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		sent := time.Now()
		answer, err := next.RoundTrip(r)
		if err != nil {
			return answer, err
		}
		if at, err := http.ParseTime(answer.Header.Get("Date")); err == nil {
			c.set(at, sent, time.Now())
		}
		return answer, nil
	})
}

// set takes at as the server's time, cut to whole seconds, at a moment between sent and received. Where the two clocks
// may agree, they do; else ours is moved by the least that explains the answer.
func (c *clock) set(at, sent, received time.Time) {
	least, most := at.Sub(received), at.Add(time.Second).Sub(sent)
	c.ahead.Store(int64(min(max(0, least), most)))
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls f.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
