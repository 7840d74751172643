package gate

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// agent is what requests call themselves.
const agent = "kubectl-rotate"

// ask sends a request and gives the answer's status and the beginning of its body.
func ask(c *http.Client, r *http.Request, most int64) (status int, body []byte, err error) {
	r.Header.Set("User-Agent", agent)
	answer, err := c.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err = io.ReadAll(io.LimitReader(answer.Body, most))
	if err != nil {
		return 0, nil, fmt.Errorf("reading the answer: %w", err)
	}
	return answer.StatusCode, body, nil
}

func get(ctx context.Context, c *http.Client, address string, most int64) (status int, body []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, nil, err
	}
	return ask(c, r, most)
}

// stay follows no redirect: what is asked for is the answer, not where it leads.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
