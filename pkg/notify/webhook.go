package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Slack posts to an incoming webhook, whose address is secret.
type Slack struct {
	URL    rotation.Secret
	Client *http.Client // nil: http.DefaultClient
}

// Tell posts m as text.
func (s Slack) Tell(ctx context.Context, m Message) error {
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(m.Text())
	if m.Dashboard != "" {
		text += fmt.Sprintf(" <%s|dashboard>", m.Dashboard)
	}
	return post(ctx, s.Client, string(s.URL.Reveal()), "", map[string]string{"text": text})
}

// JSON posts the message itself to an address that is secret.
type JSON struct {
	URL    rotation.Secret
	Client *http.Client
}

// Tell posts m.
func (j JSON) Tell(ctx context.Context, m Message) error {
	return post(ctx, j.Client, string(j.URL.Reveal()), "", m)
}

// PagerDuty sends events of version 2. That a rotation has begun, ended or been taken back is a change event, which calls
// nobody; that it failed is an incident, and the end of that target's rotation resolves it.
type PagerDuty struct {
	URL    string // that takes events, ending in /enqueue
	Key    rotation.Secret
	Client *http.Client
}

// Tell sends m.
func (p PagerDuty) Tell(ctx context.Context, m Message) error {
	key := string(p.Key.Reveal())
	incident := map[string]any{
		"routing_key": key, "event_action": "resolve", "dedup_key": fmt.Sprintf("kubectl-rotate/%s/%s/%s", m.Context, m.Namespace, m.Secret),
	}
	payload := map[string]any{"summary": shortened(m.Text(), 1024), "source": "kubectl-rotate", "timestamp": m.Time.UTC().Format(time.RFC3339), "custom_details": m}
	if m.What == Failed {
		payload["severity"] = "error"
		incident["event_action"], incident["payload"] = "trigger", payload
		if m.Dashboard != "" {
			incident["links"] = []map[string]string{{"href": m.Dashboard, "text": "dashboard"}}
		}
		return post(ctx, p.Client, p.URL, "", incident)
	}
	change := strings.TrimSuffix(p.URL, "/enqueue") + "/change/enqueue"
	err := post(ctx, p.Client, change, "", map[string]any{"routing_key": key, "payload": payload})
	if m.What != Begun {
		err = errors.Join(err, post(ctx, p.Client, p.URL, "", incident))
	}
	return err
}

// Grafana leaves an annotation over the time of a rotation, once it has ended.
type Grafana struct {
	URL    string
	Token  rotation.Secret // of a service account that may write annotations
	Client *http.Client
}

// Tell leaves the annotation at an end, and nothing at a beginning.
func (g Grafana) Tell(ctx context.Context, m Message) error {
	if m.What == Begun {
		return nil
	}
	annotation := map[string]any{
		"timeEnd": m.Time.UnixMilli(), "time": m.Began.UnixMilli(), "text": m.Text(),
		"tags": []string{"kubectl-rotate", m.Target, m.Namespace, string(m.What)},
	}
	return post(ctx, g.Client, strings.TrimSuffix(g.URL, "/")+"/api/annotations", string(g.Token.Reveal()), annotation)
}

// post sends body as JSON. Its errors name neither the address nor the token. It follows no redirect: one would carry the body, with
// PagerDuty's key in it, to another host, or end at a page to log in at, which answers 200 and has told nobody.
func post(ctx context.Context, c *http.Client, address, token string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("writing what is to be told: %w", err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSpace(address), bytes.NewReader(text))
	if err != nil || r.URL.Hostname() == "" || r.URL.Scheme != "http" && r.URL.Scheme != "https" {
		return errors.New("the address is none that begins with https://") // errors from below would repeat it
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "kubectl-rotate")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	straight := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if c != nil {
		straight.Transport, straight.Timeout = c.Transport, c.Timeout
	}
	answer, err := straight.Do(r)
	if err != nil {
		var of *url.Error
		if errors.As(err, &of) {
			err = of.Err // without the address
		}
		return err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 1<<16))
	if answer.StatusCode >= 300 && answer.StatusCode <= 399 {
		return fmt.Errorf("it answers %s: no redirect is followed, the address has to be the one that it leads to", status(answer.StatusCode))
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("it answers %s", status(answer.StatusCode))
	}
	return nil
}

// status is an answer's status in the words of HTTP, and not in those of whoever answers.
func status(code int) string {
	return strings.TrimSpace(fmt.Sprint(code) + " " + http.StatusText(code))
}

// shortened is text of at most so many bytes, cut between letters.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most-len("…")], "") + "…"
}
