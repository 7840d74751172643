package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// kubelet serves the log of pod data/pg-0, line by line as it was written, from the second that it is asked for.
type kubelet struct {
	lines []string
	code  int // of the answer, where that is no log
	asked []string
}

func (k *kubelet) write(after time.Duration, text string) {
	k.lines = append(k.lines, noon.Add(after).Format(time.RFC3339Nano)+" "+text)
}

func (k *kubelet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	k.asked = append(k.asked, fmt.Sprintf("%s %s from %s, %s", r.URL.Path, q.Get("container"), q.Get("sinceTime"), q.Get("timestamps")))
	if k.code != 0 {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(k.code)
		fmt.Fprintf(w, `{"kind": "Status", "status": "Failure", "code": %d, "reason": %q}`, k.code, metav1.StatusReasonForbidden)
		return
	}
	for _, line := range k.lines {
		if line >= strings.TrimSuffix(q.Get("sinceTime"), "Z") {
			fmt.Fprintln(w, line)
		}
	}
}

// serverLog reads from k; the clock is at *now.
func (k *kubelet) serverLog(t *testing.T, now *time.Time) *ServerLog {
	t.Helper()
	web := httptest.NewServer(k)
	t.Cleanup(web.Close)
	client := kubernetes.NewForConfigOrDie(&rest.Config{Host: web.URL, QPS: -1})
	return &ServerLog{
		Tail: &Tail{Core: client.CoreV1()}, Namespace: "data", Container: "server", Pods: []string{"pg-0"}, Refusal: postgres.RefusalIn,
		Unlogged: func(context.Context) (string, error) { return "", nil }, Now: func() time.Time { return *now },
	}
}

// Who is turned away is read from the log of the server's pod, each line once, and not more often than is useful.
func TestServerLog(t *testing.T) {
	k, now := &kubelet{}, noon.Add(time.Minute)
	j := k.serverLog(t, &now)
	missed := func(want ...rotation.Refusal) {
		t.Helper()
		got, err := j.Missed(t.Context(), noon, []rotation.Credential{{V: 1, ID: "backend"}})
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%v (-want +got):\n%s", err, diff)
		}
	}
	turnedAway := `[7] backend@shop 10.0.0.7 FATAL:  role "backend" is not permitted to log in`
	k.write(-time.Millisecond, turnedAway) // before it was refused
	k.write(time.Second, "[9] LOG:  checkpoint starting: time")
	missed()
	k.write(61*time.Second, turnedAway)
	k.write(62*time.Second, turnedAway)
	missed() // too soon to read again
	now = now.Add(logPause)
	first := rotation.Refusal{ID: "backend", Address: "10.0.0.7", First: noon.Add(61 * time.Second), Last: noon.Add(62 * time.Second), Count: 2}
	missed(first)
	k.write(62*time.Second+time.Nanosecond, `[7] FATAL:  password authentication failed for user "backend"`)
	k.write(63*time.Second, `[7] FATAL:  password authentication failed for user "backend_v2"`)
	now = now.Add(logPause)
	at := noon.Add(62*time.Second + time.Nanosecond)
	missed(first, rotation.Refusal{ID: "backend", First: at, Last: at, Count: 1})
	want := []string{"12:00:00", "12:00:01", "12:01:02"}
	for i := range want {
		want[i] = "/api/v1/namespaces/data/pods/pg-0/log server from 2026-05-01T" + want[i] + "Z, true"
	}
	if diff := cmp.Diff(want, k.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

// What keeps it from being known is said, and what the server tells of itself only while there is no better.
func TestServerLogThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*kubelet, *ServerLog)
		want   string
	}{
		"no permission": {func(k *kubelet, _ *ServerLog) { k.code = http.StatusForbidden },
			"that takes the permission to get pods/log in namespace data"},
		"no pod": {func(_ *kubelet, j *ServerLog) { j.Pods = nil }, "the server runs in no pod whose log could be read"},
		"files": {func(_ *kubelet, j *ServerLog) {
			j.Unlogged = func(context.Context) (string, error) { return "pg-0 logs to files of its own", nil }
		}, "pg-0 logs to files of its own"},
		"files that come out all the same": {func(k *kubelet, j *ServerLog) {
			j.Unlogged = func(context.Context) (string, error) { return "pg-0 logs to files of its own", nil }
			k.write(time.Second, `{"error_severity":"FATAL","message":"role \"backend\" is not permitted to log in"}`)
		}, ""},
		"no server": {func(_ *kubelet, j *ServerLog) {
			j.Unlogged = func(context.Context) (string, error) { return "", errors.New("no answer") }
		}, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			k, now := &kubelet{}, noon
			j := k.serverLog(t, &now)
			c.change(k, j)
			_, err := j.Missed(t.Context(), noon, []rotation.Credential{{V: 1, ID: "backend"}})
			if got := fmt.Sprint(err); c.want == "" && err != nil || c.want != "" && got != c.want {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
