package notify

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// received is one request.
type received struct {
	path, authorization string
	body                map[string]any
}

// receiver is a server that keeps what it is sent, and answers with a status.
func receiver(t *testing.T, status int) (address string, all *[]received) {
	t.Helper()
	all = &[]received{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := received{path: r.URL.Path, authorization: r.Header.Get("Authorization")}
		if err := json.NewDecoder(r.Body).Decode(&got.body); err != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("no JSON: %v", err)
		}
		*all = append(*all, got)
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s.URL, all
}

func message(what What) Message {
	m := Message{
		What: what, Time: time.Date(2026, 5, 1, 12, 5, 0, 0, time.UTC), Target: "orders", Namespace: "shop", Secret: "orders-db", Context: "prod",
		By: "alice", From: 1, To: 2, Attempt: 1, Began: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), Dashboard: "https://grafana/d/1",
	}
	if what == Failed {
		m.Note, m.Next = "verify failed: 3 > 1 & rising", "kubectl rotate abort orders"
	}
	return m
}

func TestSlackGetsText(t *testing.T) {
	address, got := receiver(t, 200)
	if err := (Slack{URL: rotation.NewSecret([]byte(address + "/services/x\n"))}).Tell(t.Context(), message(Failed)); err != nil {
		t.Fatal(err)
	}
	want := []received{{path: "/services/x", body: map[string]any{"text": "rotation of orders in shop (context prod) from v1 to v2: failed, by alice: " +
		"verify failed: 3 &gt; 1 &amp; rising; to go on: `kubectl rotate abort orders` <https://grafana/d/1|dashboard>"}}}
	if diff := cmp.Diff(want, *got, cmp.AllowUnexported(received{})); diff != "" {
		t.Error(diff)
	}
}

// Whoever is told of an answer to a leak sees that it is one.
func TestALeakIsCalledOne(t *testing.T) {
	m := message(Finished)
	m.Compromised = true
	want := "answer to a leak of orders in shop (context prod), replacing v1 by v2: finished, by alice"
	if got := m.Text(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestPagerDutyCallsSomebodyOnlyWhenItFails(t *testing.T) {
	for what, want := range map[What][]string{
		Begun: {"/v2/change/enqueue "}, Finished: {"/v2/change/enqueue ", "/v2/enqueue resolve"},
		Aborted: {"/v2/change/enqueue ", "/v2/enqueue resolve"}, Failed: {"/v2/enqueue trigger"},
	} {
		address, got := receiver(t, 202)
		p := PagerDuty{URL: address + "/v2/enqueue", Key: rotation.NewSecret([]byte("r0uting"))}
		if err := p.Tell(t.Context(), message(what)); err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, r := range *got {
			action, _ := r.body["event_action"].(string)
			said = append(said, r.path+" "+action)
			if r.body["routing_key"] != "r0uting" {
				t.Errorf("%s: no routing key in %v", what, r.body)
			}
			if action != "" && r.body["dedup_key"] != "kubectl-rotate/prod/shop/orders-db" {
				t.Errorf("%s: the key is %v", what, r.body["dedup_key"])
			}
			if payload, ok := r.body["payload"].(map[string]any); ok && (payload["summary"] == "" || payload["source"] != "kubectl-rotate") {
				t.Errorf("%s: the payload is %v", what, payload)
			}
		}
		if diff := cmp.Diff(want, said); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
}

func TestJSONIsTheMessage(t *testing.T) {
	address, got := receiver(t, 204)
	if err := (JSON{URL: rotation.NewSecret([]byte(address))}).Tell(t.Context(), message(Finished)); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"what": "finished", "time": "2026-05-01T12:05:00Z", "target": "orders", "namespace": "shop", "secret": "orders-db", "context": "prod",
		"by": "alice", "from": 1.0, "to": 2.0, "attempt": 1.0, "began": "2026-05-01T12:00:00Z", "dashboard": "https://grafana/d/1",
	}
	if diff := cmp.Diff(want, (*got)[0].body); diff != "" {
		t.Error(diff)
	}
}

func TestGrafanaIsToldOnceAtTheEnd(t *testing.T) {
	address, got := receiver(t, 200)
	g := Grafana{URL: address + "/", Token: rotation.NewSecret([]byte("t0ken"))}
	for _, what := range []What{Begun, Finished} {
		if err := g.Tell(t.Context(), message(what)); err != nil {
			t.Fatal(err)
		}
	}
	if len(*got) != 1 || (*got)[0].path != "/api/annotations" || (*got)[0].authorization != "Bearer t0ken" {
		t.Fatalf("got %+v", *got)
	}
	if body := (*got)[0].body; body["timeEnd"].(float64)-body["time"].(float64) != 300_000 {
		t.Errorf("got %v", body)
	}
}

func TestEventsStandOnTheSecret(t *testing.T) {
	kube := fake.NewClientset()
	e := Events{Client: kube.CoreV1(), Namespace: "shop", Secret: "orders-db"}
	m := message(Failed)
	m.Note = strings.Repeat("ü", 2000)
	if err := e.Tell(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	all, err := kube.CoreV1().Events("shop").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(all.Items) != 1 {
		t.Fatal(all, err)
	}
	got := all.Items[0]
	if got.Reason != "RotationFailed" || got.Type != "Warning" || got.InvolvedObject.Name != "orders-db" || len(got.Message) > mostInEvent {
		t.Errorf("got %+v", got)
	}
}

// Whoever has the address can write there: it shows in no error.
func TestAddressesShowInNoError(t *testing.T) {
	full, _ := receiver(t, 403)
	for name, address := range map[string]string{
		"refused": full + "/services/s3cret", "nobody there": "http://127.0.0.1:1/s3cret", "no address": "http://s3cret\x7f/", "no scheme": "s3cret", "another scheme": "s3cret:x",
		"no host": "https://", "empty": "",
	} {
		for _, tell := range []func(context.Context, Message) error{
			Slack{URL: rotation.NewSecret([]byte(address))}.Tell, JSON{URL: rotation.NewSecret([]byte(address))}.Tell,
			PagerDuty{URL: full, Key: rotation.NewSecret([]byte("s3cret"))}.Tell, Grafana{URL: full, Token: rotation.NewSecret([]byte("s3cret"))}.Tell,
		} {
			err := tell(t.Context(), message(Finished))
			if err == nil || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// A redirect would take a key to another host, or end at a page to log in at that answers 200.
func TestNoRedirectIsFollowed(t *testing.T) {
	elsewhere, got := receiver(t, 200)
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		s := httptest.NewServer(http.RedirectHandler(elsewhere+"/s3cret", status))
		t.Cleanup(s.Close)
		for name, tell := range map[string]func(context.Context, Message) error{
			"slack": Slack{URL: rotation.NewSecret([]byte(s.URL))}.Tell, "json": JSON{URL: rotation.NewSecret([]byte(s.URL))}.Tell,
			"pagerduty": PagerDuty{URL: s.URL, Key: rotation.NewSecret([]byte("s3cret"))}.Tell,
			"grafana":   Grafana{URL: s.URL, Token: rotation.NewSecret([]byte("s3cret")), Client: s.Client()}.Tell,
		} {
			if err := tell(t.Context(), message(Failed)); err == nil || !strings.Contains(err.Error(), "redirect") || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s, %d: %v", name, status, err)
			}
		}
	}
	if len(*got) > 0 {
		t.Errorf("the other host was told %v", *got)
	}
}

// A server's own words for its status go nowhere: they may carry escape sequences, or a secret that the server was sent.
func TestTheWordsOfAStatusAreOurOwn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			_, _ = io.WriteString(c, "HTTP/1.1 503 \x1b[2J\x1b]0;fooled\a s3cret\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
			_ = c.Close()
		}
	}()
	err = JSON{URL: rotation.NewSecret([]byte("http://" + l.Addr().String()))}.Tell(t.Context(), Message{})
	if err == nil || err.Error() != "it answers 503 Service Unavailable" {
		t.Errorf("%q", err)
	}
}
