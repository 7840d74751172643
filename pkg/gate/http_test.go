package gate

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// serve starts a server and gives its address without a scheme.
func serve(t *testing.T, h http.HandlerFunc) (url string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// looks wants a look to find something.
func looks(t *testing.T, g interface {
	Look(context.Context, rotation.Record) (rotation.Item, error)
}, rec rotation.Record, phase rotation.Phase, note string) {
	t.Helper()
	item, err := g.Look(t.Context(), rec)
	if err != nil {
		t.Fatal(err)
	}
	if item.Phase != phase || !strings.Contains(item.Note, note) {
		t.Errorf("got %s: %s; want %s: …%s…", item.Phase, item.Note, phase, note)
	}
}

func TestURLWantsItsStatus(t *testing.T) {
	status := 200
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if status == 0 {
			<-r.Context().Done()
			return
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	})
	g := URL{URL: address, Status: 200, Timeout: 5 * time.Second}
	looks(t, g, rotation.Record{}, rotation.Done, "answers 200")
	status = 503
	looks(t, g, rotation.Record{}, rotation.Failed, "answers 503, not 200")
	status, g.Status = 302, 302
	looks(t, g, rotation.Record{}, rotation.Done, "answers 302")
	status, g.Timeout = 0, 20*time.Millisecond
	looks(t, g, rotation.Record{}, rotation.Failed, "no answer")
	g.URL = "http://127.0.0.1:1"
	looks(t, g, rotation.Record{}, rotation.Failed, "no answer")
}

func TestPrometheusWantsEveryValueWithinItsBounds(t *testing.T) {
	answer, token := "", ""
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		token = r.Header.Get("Authorization")
		if r.URL.Path != "/api/v1/query" || r.FormValue("query") != "errors" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, answer)
	})
	vector := func(values ...string) string {
		var all []string
		for i, v := range values {
			all = append(all, fmt.Sprintf(`{"metric":{"pod":"p%d"},"value":[1700000000.1,%q]}`, i, v))
		}
		return `{"status":"success","data":{"resultType":"vector","result":[` + strings.Join(all, ",") + `]}}`
	}
	one, five := 1.0, 5.0
	for _, c := range []struct {
		name, answer string
		min, max     *float64
		phase        rotation.Phase
		note         string
	}{
		{"at the bound", vector("1"), nil, &one, rotation.Done, "1 of pod p0, at most 1"},
		{"above", vector("0", "1.5"), nil, &one, rotation.Failed, "1.5 of pod p1, at most 1"},
		{"below", vector("0.5"), &one, nil, rotation.Failed, "0.5 of pod p0, at least 1"},
		{"between", vector("3"), &one, &five, rotation.Done, "3 of pod p0, between 1 and 5"},
		{"more than any number", `{"status":"success","data":{"resultType":"scalar","result":[1700000000.1,"+Inf"]}}`, &five, nil, rotation.Done, "+Inf, at least 5"},
		{"a scalar", `{"status":"success","data":{"resultType":"scalar","result":[1700000000.1,"7"]}}`, nil, &five, rotation.Failed, "7, at most 5"},
		{"nothing", vector(), nil, &one, rotation.Waiting, "or vector(0)"},
		{"no number", vector("NaN"), nil, &one, rotation.Waiting, "NaN, which is no number"},
		{"endless", vector("+Inf"), nil, &one, rotation.Failed, "+Inf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer = c.answer
			g := &Bounds{&Prometheus{URL: address + "/", Client: http.DefaultClient, Token: rotation.NewSecret([]byte("t0ken"))}, "errors", c.min, c.max}
			looks(t, g, rotation.Record{}, c.phase, c.note)
			if token != "Bearer t0ken" {
				t.Errorf("authorized with %q", token)
			}
		})
	}
}

func TestPrometheusThatDoesNotAnswerSaysNothing(t *testing.T) {
	one := 1.0
	for name, answer := range map[string]string{
		"an error":       `{"status":"error","error":"parse error: unexpected end of input"}`,
		"not Prometheus": `<html>`,
		"a matrix":       `{"status":"success","data":{"resultType":"matrix","result":[]}}`,
	} {
		p := &Prometheus{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }), Client: http.DefaultClient}
		g := &Bounds{p, "errors", nil, &one}
		if item, err := g.Look(t.Context(), rotation.Record{}); err == nil || item.Phase != "" {
			t.Errorf("%s: %+v, %v", name, item, err)
		}
		if n, err := p.Total(t.Context(), "errors", time.Minute); err == nil {
			t.Errorf("%s: %v in all", name, n)
		}
	}
}

// What stands in front of Prometheus, or in its place, is named for what it does; nobody else is shown the token.
func TestWhatIsNotPrometheusIsNamed(t *testing.T) {
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") })
	for name, c := range map[string]struct {
		answer func(http.ResponseWriter)
		want   string
	}{
		"a page to log in at": {func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") }, "it answers 200, with something else than JSON"},
		"a proxy without a token": {func(w http.ResponseWriter) {
			w.WriteHeader(401)
			fmt.Fprint(w, `{"message":"Unauthorized"}`)
		}, "it answers 401: the token is not accepted, or there is none"},
		"a redirect": {func(w http.ResponseWriter) {
			w.Header().Set("Location", elsewhere)
			w.WriteHeader(307)
		}, "it answers 307: no redirect is followed"},
		"another API": {func(w http.ResponseWriter) { fmt.Fprint(w, `{"ok":true}`) }, "it answers 200, with nothing that Prometheus says"},
		"far too much": {func(w http.ResponseWriter) {
			fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[{"metric":{"pod":%q},"value":[1,"1"]}]}}`, strings.Repeat("x", 10<<20))
		}, "it answers with more than 4 MB"},
		"a long error": {func(w http.ResponseWriter) {
			fmt.Fprintf(w, `{"status":"error","error":%q}`, strings.Repeat("ü", 1<<20))
		}, strings.Repeat("ü", 200) + "…"},
	} {
		p := &Prometheus{URL: serve(t, func(w http.ResponseWriter, _ *http.Request) { c.answer(w) }), Client: http.DefaultClient, Token: rotation.NewSecret([]byte("t0ken"))}
		five := 5.0
		_, err := (&Bounds{p, "errors", nil, &five}).Look(t.Context(), rotation.Record{})
		if err == nil || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 500 {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

func TestPrometheusAddsUpWhatHappenedSince(t *testing.T) {
	asked, answer := "", ""
	p := &Prometheus{Client: http.DefaultClient, URL: serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.FormValue("query")
		fmt.Fprintf(w, `{"status":"success","data":{"resultType":"vector","result":[%s]}}`, answer)
	})}
	for _, c := range []struct {
		answer, problem string
		want            float64
	}{
		{`{"metric":{"pod":"a"},"value":[1,"2.5"]},{"metric":{"pod":"b"},"value":[1,"40"]}`, "", 42.5},
		{`{"metric":{"pod":"a"},"value":[1,"0"]}`, "", 0},
		{"", "or vector(0)", 0},
		{`{"metric":{"pod":"a"},"value":[1,"NaN"]}`, "of pod a is NaN", 0},
	} {
		answer = c.answer
		got, err := p.Total(t.Context(), "increase(refused[{since}]) + refused offset {since}", 90*time.Second+time.Millisecond)
		if got != c.want || (err == nil) != (c.problem == "") || err != nil && !strings.Contains(err.Error(), c.problem) {
			t.Errorf("%q: %v, %v; want %v, %q", c.answer, got, err, c.want, c.problem)
		}
	}
	if want := "increase(refused[91s]) + refused offset 91s"; asked != want {
		t.Errorf("asked %q, want %q", asked, want)
	}
}

func TestEveryPodHasToAnswer(t *testing.T) {
	status := map[string]*atomic.Int32{"a": {}, "b": {}}
	status["a"].Store(200)
	status["b"].Store(204)
	var dialed atomic.Int32
	servers := map[string]string{}
	for name := range status {
		servers[name] = serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/health/ready" {
				w.WriteHeader(http.StatusNotFound)
				return
			}
			w.WriteHeader(int(status[name].Load()))
		})
	}
	pods := []Pod{{Name: "a", Namespace: "n", Workload: "deployment/x", Port: 8080}, {Name: "b", Namespace: "n", Workload: "deployment/y", Port: 8080}, {Name: "worker"}}
	g := &Ready{
		Pods: func(context.Context) ([]Pod, error) { return pods, nil }, Path: "/health/ready", Scheme: "http",
		Dial: func(_ context.Context, namespace, pod, address string) (net.Conn, error) {
			dialed.Add(1)
			if namespace != "n" || address != "localhost:8080" {
				t.Errorf("dialed %s in %s", address, namespace)
			}
			return net.Dial("tcp", strings.TrimPrefix(servers[pod], "http://"))
		},
	}
	t.Cleanup(g.Close)
	looks(t, g, rotation.Record{}, rotation.Done, "2 of 2 pods ready at /health/ready")
	looks(t, g, rotation.Record{}, rotation.Done, "2 of 2")
	if n := dialed.Load(); n != 2 {
		t.Errorf("dialed %d times for two looks at two pods: a tunnel is to be kept", n)
	}
	status["b"].Store(503)
	looks(t, g, rotation.Record{}, rotation.Failed, "1 of 2 pods ready at /health/ready; pod/b answers 503")
	g.Consumers = []string{"deployment/x"}
	looks(t, g, rotation.Record{}, rotation.Done, "1 of 1")
	pods = pods[2:]
	looks(t, g, rotation.Record{}, rotation.Waiting, "no pod of a consumer declares a port")
}
