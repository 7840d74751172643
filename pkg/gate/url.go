package gate

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// URL asks at an address as users do, on a connection of its own each time.
type URL struct {
	URL     string
	Status  int           // the answer's
	Timeout time.Duration // how long an answer may take
	// Transport is the way there; nil is that of the environment, with its proxies.
	Transport http.RoundTripper
}

// Look is bad when there is no answer in time, or one with another status.
func (u URL) Look(ctx context.Context, _ rotation.Record) (rotation.Item, error) {
	ctx, cancel := context.WithTimeout(ctx, u.Timeout)
	defer cancel()
	way := u.Transport
	if way == nil {
		fresh := http.DefaultTransport.(*http.Transport).Clone() //nolint:errcheck // it is one
		fresh.DisableKeepAlives = true
		way = fresh
	}
	status, _, err := get(ctx, &http.Client{CheckRedirect: stay, Transport: way}, u.URL, 1<<10)
	switch {
	case err != nil:
		return rotation.Item{Phase: rotation.Failed, Note: fmt.Sprintf("no answer: %v", err)}, nil
	case status != u.Status:
		return rotation.Item{Phase: rotation.Failed, Note: fmt.Sprintf("%s answers %d, not %d", u.URL, status, u.Status)}, nil
	}
	return rotation.Item{Phase: rotation.Done, Note: fmt.Sprintf("%s answers %d", u.URL, status)}, nil
}
