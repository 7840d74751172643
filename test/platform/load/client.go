package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"time"
)

// maxReply bounds what is read of a reply; the backend's are a few hundred bytes.
const maxReply = 64 << 10

// reply is what the backend says in every answer; each kind fills the fields it has.
type reply struct {
	Pod     string    `json:"pod"`
	Login   string    `json:"login"`
	Error   string    `json:"error"` // a short class such as "login refused"; the detail is in the pod's log
	Token   string    `json:"token"`
	Key     string    `json:"key"`
	Expires time.Time `json:"expires"`

	Messages *Messages `json:"messages"`
}

// Messages is what a pod has received over its subscription, by the numbers of the messages.
type Messages struct {
	Count  uint64 `json:"count"`
	Missed uint64 `json:"missed"`
	First  uint64 `json:"first"`
	Last   uint64 `json:"last"`
}

// request is one call of the backend.
type request struct {
	method, path, body string
	token              string // sent as a bearer token if not empty
	fresh              bool   // on a connection of its own
}

// client sends requests, each at most once.
type client struct {
	base    string
	timeout time.Duration
	fresh   http.RoundTripper
	kept    http.RoundTripper
}

func newClient(c Config) *client {
	return &client{
		base:    strings.TrimSuffix(c.URL, "/"),
		timeout: c.Timeout,
		fresh:   &http.Transport{DisableKeepAlives: true},
		kept:    &http.Transport{MaxIdleConnsPerHost: c.MaxInFlight, IdleConnTimeout: c.IdleTimeout},
	}
}

// do sends q and reads the whole reply. The reason is empty if the request succeeded.
func (c *client) do(ctx context.Context, q request) (reply, string) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	reused := false
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { reused = info.Reused },
	})
	req, err := q.build(ctx, c.base)
	if err != nil {
		return reply{}, reasonOf(err)
	}
	resp, err := c.transport(q.fresh).RoundTrip(req)
	if err != nil {
		return reply{}, withConnection(reasonOf(err), reused)
	}
	defer resp.Body.Close()
	return read(resp)
}

func (c *client) transport(fresh bool) http.RoundTripper {
	if fresh {
		return c.fresh
	}
	return c.kept
}

func (c *client) close() {
	if kept, ok := c.kept.(*http.Transport); ok {
		kept.CloseIdleConnections()
	}
}

// build makes the HTTP request. net/http sends a request a second time, unasked, when a kept connection turns out
// to be closed, if it is a GET without a body or has a body that can be rewound (GetBody). Users behind a load balancer or a
// client in another language get no such help, so every request here has a body that can't be rewound; an empty
// one leaves no trace on the wire.
func (q request) build(ctx context.Context, base string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, q.method, base+q.path, io.NopCloser(strings.NewReader(q.body)))
	if err != nil {
		return nil, fmt.Errorf("building %s %s: %w", q.method, q.path, err)
	}
	if q.body != "" {
		req.ContentLength = int64(len(q.body))
	}
	if q.token != "" {
		req.Header.Set("Authorization", "Bearer "+q.token)
	}
	return req, nil
}

func read(resp *http.Response) (reply, string) {
	var r reply
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReply))
	if err != nil {
		return r, reasonOf(err)
	}
	err = json.Unmarshal(text, &r)
	switch {
	case resp.StatusCode/100 != 2:
		return r, withError(fmt.Sprintf("status %d", resp.StatusCode), r.Error)
	case err != nil || r.Pod == "" || (r.Login == "" && r.Token == ""):
		return r, reasonMalformed
	}
	return r, ""
}

func withError(reason, detail string) string {
	if detail == "" {
		return reason
	}
	return reason + ": " + detail
}

func withConnection(reason string, reused bool) string {
	if reused {
		return reason + ", on a kept connection"
	}
	return reason
}
