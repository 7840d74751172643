package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// switched is a record of a rotation from v1 to v2, which is active since noon.
func switched() rotation.Record {
	view := func(v rotation.Version) rotation.View { return rotation.View{Active: v, Accept: []rotation.Version{v}} }
	return rotation.Record{
		Intent:   &rotation.Intent{From: 1, To: 2, Attempt: 1},
		Live:     map[rotation.Version]rotation.Credential{1: {V: 1, ID: "backend"}, 2: {V: 2, ID: "backend_v2"}},
		Editions: []rotation.Edition{{N: 1, View: view(1)}, {N: 2, View: view(2), Written: noon}},
	}
}

// logsOf reads logs that a test writes, by pod and container.
func logsOf(t *testing.T, logs map[string]string) *Logs {
	t.Helper()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(r.URL.Path, "/") // /api/v1/namespaces/n/pods/NAME/log
		text, there := logs[parts[6]+"/"+r.FormValue("container")]
		if !there {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		since, err := time.Parse(time.RFC3339, r.FormValue("sinceTime"))
		if err != nil || r.FormValue("timestamps") != "true" {
			t.Errorf("asked for %s", r.URL)
		}
		left, err := strconv.Atoi(r.FormValue("limitBytes"))
		if err != nil {
			t.Errorf("asked for %s", r.URL)
		}
		for line := range strings.Lines(text) {
			stamp, _, _ := strings.Cut(line, " ")
			if at, err := time.Parse(time.RFC3339Nano, stamp); err == nil && !at.Before(since) {
				line = line[:min(left, len(line))]
				left -= len(line)
				fmt.Fprint(w, line)
			}
		}
	})
	client, err := kubernetes.NewForConfig(&rest.Config{Host: address})
	if err != nil {
		t.Fatal(err)
	}
	fresh := rotation.Pod{Edition: 2, Ready: true, Created: noon.Add(time.Minute), Started: []time.Time{noon.Add(time.Minute)}}
	stale := rotation.Pod{Edition: 1, Created: noon.Add(-time.Hour), Started: []time.Time{noon.Add(-time.Hour)}}
	return &Logs{
		Tail: &Tail{Core: client.CoreV1()}, Pattern: "password authentication failed for user.{0,3}{login}",
		Pods: func(context.Context) ([]Pod, error) {
			return []Pod{
				{Namespace: "n", Name: "new", Containers: []string{"proxy", "app", "not-started"}, Known: fresh},
				{Namespace: "n", Name: "old", Containers: []string{"app"}, Known: stale},
			}, nil
		},
		Redact: func(s string) string { return strings.ReplaceAll(s, "hunter2", rotation.Redacted) },
	}
}

func TestLogsWaitAtTheFirstSuchLineSinceTheSwitch(t *testing.T) {
	const refused = `{"level":"error","msg":"FATAL: password authentication failed for user \"backend_v2\" (SQLSTATE 28P01)","dsn":"hunter2"}`
	logs := map[string]string{
		"new/proxy": "",
		"new/app": "2026-05-01T11:59:59Z " + refused + "\n" + // before the switch
			"2026-05-01T12:01:00Z serving\n" +
			`2026-05-01T12:01:01Z password authentication failed for user "bob" of backend` + "\n" + // a user of the application
			`2026-05-01T12:01:02Z password authentication failed for user "backend_v3"` + "\n",
		"old/app": "2026-05-01T12:01:00Z " + refused + "\n", // on the old version
	}
	g, now := logsOf(t, logs), noon.Add(2*time.Minute)
	g.Now = func() time.Time { return now }
	looks(t, g, switched(), rotation.Done, "no such line from 1 pods since 12:00:00 UTC")
	logs["new/app"] += "2026-05-01T12:02:00.5Z " + refused + "\n"
	looks(t, g, switched(), rotation.Waiting, `pod/new logged 1 such lines, the last at 12:02:00 UTC: “{"level":"error","msg":"FATAL: password`)
	looks(t, g, switched(), rotation.Waiting, rotation.Redacted) // one line counts once
	logs["new/app"] = ""
	looks(t, g, switched(), rotation.Waiting, "logged 1 such lines") // a log that is cut off takes nothing back
	now = now.Add(time.Minute)
	looks(t, g, switched(), rotation.Done, "pod/new logged 1 such lines")
}

func TestLogsBeforeTheSwitchSayNothing(t *testing.T) {
	rec := switched()
	rec.Editions = rec.Editions[:1]
	looks(t, logsOf(t, nil), rec, rotation.Waiting, "nothing runs on the new version yet")
}

func TestLogsThatCannotBeReadSayNothing(t *testing.T) {
	g := logsOf(t, nil)
	g.Pods = func(context.Context) ([]Pod, error) { return nil, errors.New("no list") }
	if item, err := g.Look(t.Context(), switched()); err == nil || item.Phase != "" {
		t.Errorf("%+v, %v", item, err)
	}
}

// A pod may log more than is asked for at once: what has not been read says nothing.
func TestLogsAreReadToTheirEnd(t *testing.T) {
	filler := strings.Repeat("x", 1<<20)
	much := func(second int) (text string) {
		for i := range 9 {
			text += fmt.Sprintf("2026-05-01T12:01:0%d.%d00Z %s\n", second*(i/3)+1, i+1, filler)
		}
		return text
	}
	const refused = `2026-05-01T12:02:00Z password authentication failed for user "backend_v2"` + "\n"
	for seconds := range 2 {
		l := logsOf(t, map[string]string{"new/proxy": "", "new/app": much(seconds) + refused})
		l.Now = func() time.Time { return noon.Add(2 * time.Minute) }
		if got, err := l.Look(t.Context(), switched()); err != nil || got.Phase != rotation.Waiting {
			t.Errorf("over %d seconds: got %+v, %v", 1+2*seconds, got, err)
		}
	}
}
