package report

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// noon is when all stories begin.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// story is the events of one run.
type story []rotation.Event

// then adds an event at some time after noon, of the same decision as the one before.
func (s story) then(after time.Duration, step string, state rotation.Phase, note string, items ...rotation.Item) story {
	e := rotation.Event{Target: "postgres", From: 1, To: 2, Attempt: 1}
	if len(s) > 0 {
		last := s[len(s)-1]
		e.From, e.To, e.Attempt, e.Back = last.From, last.To, last.Attempt, last.Back
	}
	e.Time, e.Step, e.State, e.Note, e.Items = noon.Add(after), step, state, note, items
	e.Started = step != "begin" || state == rotation.Done
	return append(s, e)
}

// until says when the wait of the last event ends.
func (s story) until(after time.Duration) story {
	s[len(s)-1].Until = noon.Add(after)
	return s
}

// abort makes the last event the first of the way back.
func (s story) abort() story {
	e := &s[len(s)-1]
	e.From, e.To, e.Attempt, e.Back = e.To, e.From, e.Attempt+1, true
	return s
}

const ms = time.Millisecond

func pod(name string, phase rotation.Phase, note string) rotation.Item {
	return rotation.Item{Name: "pod/backend-" + name, Phase: phase, Note: note}
}

// beginning is how every rotation begins, up to the rollout.
func beginning() story {
	return story{}.
		then(0, "begin", rotation.ToDo, "v1 to v2 is not recorded yet").
		then(40*ms, "begin", rotation.Applying, "v1 to v2 is not recorded yet").
		then(90*ms, "begin", rotation.Done, "v1 to v2, decided by anna@example.com").
		then(110*ms, "stage", rotation.ToDo, "v1, in use now, is not saved yet").
		then(120*ms, "stage", rotation.Applying, "v1, in use now, is not saved yet").
		then(200*ms, "stage", rotation.ToDo, "v2 has no value yet").
		then(210*ms, "stage", rotation.Applying, "v2 has no value yet").
		then(290*ms, "stage", rotation.Done, "v2 is backend_v2").
		then(400*ms, "install", rotation.ToDo, "backend_v2: absent (pg_authid)").
		then(410*ms, "install", rotation.Applying, "backend_v2: absent (pg_authid)").
		then(820*ms, "install", rotation.Done, "backend_v2: accepts (login over the network, a wrong password is refused), at 2 places",
			rotation.Item{Name: "demo-platform", Phase: rotation.Done, Note: "accepts (login)"}, rotation.Item{Name: "reports", Phase: rotation.Done, Note: "accepts (login)"}).
		then(900*ms, "activate", rotation.ToDo, "v1 is active").
		then(910*ms, "activate", rotation.Applying, "v1 is active").
		then(980*ms, "activate", rotation.Done, "v2 is active since edition 2").
		then(1*time.Second, "rollout", rotation.ToDo, "0 of 3 pods on v2").
		then(1010*ms, "rollout", rotation.Applying, "0 of 3 pods on v2").
		then(1100*ms, "rollout", rotation.Waiting, "0 of 4 pods on v2", pod("7d-x", rotation.ToDo, "old")).
		then(4*time.Second, "rollout", rotation.Waiting, "1 of 4 pods on v2", pod("9f-a", rotation.Done, "starting"), pod("7d-x", rotation.ToDo, "old")).
		then(5*time.Second, "rollout", rotation.Waiting, "1 of 4 pods on v2", pod("9f-a", rotation.Done, "ready"), pod("7d-x", rotation.ToDo, "old, terminating"))
}

// finished is a rotation that meets no trouble but a slow client.
func finished() story {
	return beginning().
		then(19*time.Second, "rollout", rotation.Done, "3 of 3 pods on v2").
		then(19100*ms, "drain", rotation.Waiting, "1 sessions of backend", rotation.Item{Name: "10.0.3.7 (metabase)", Phase: rotation.Waiting, Note: "not a known pod; since 09:12:44"}).
		then(31*time.Second, "drain", rotation.Retrying, "who uses backend: postgresql-0: connection refused: not available").
		then(40*time.Second, "drain", rotation.Waiting, "0 sessions of backend").until(70*time.Second).
		then(70*time.Second, "drain", rotation.Done, "0 sessions of backend").
		then(71*time.Second, "revoke", rotation.ToDo, "backend not refused yet").
		then(71100*ms, "rollout", rotation.Done, "3 of 3 pods on v2", pod("9f-a", rotation.Done, "ready")).
		then(71200*ms, "revoke", rotation.Applying, "backend not refused yet").
		then(71500*ms, "revoke", rotation.Done, "backend refused").
		then(71600*ms, "soak", rotation.Waiting, "backend refused since 12:01:11").until(671*time.Second).
		then(671*time.Second, "soak", rotation.Done, "refused for 10m0s").
		then(671100*ms, "retire", rotation.ToDo, "backend still there").
		then(671200*ms, "retire", rotation.Applying, "backend still there").
		then(671900*ms, "retire", rotation.Done, "backend gone")
}

// resumed is the second run of a rotation that was killed while it was soaking.
func resumed() story {
	return story{}.
		then(0, "begin", rotation.Done, "v1 to v2, decided by anna@example.com").
		then(10*ms, "stage", rotation.Done, "v2 is backend_v2").
		then(300*ms, "install", rotation.Done, "backend_v2: accepts (login)").
		then(310*ms, "activate", rotation.Done, "v2 is active since edition 2").
		then(330*ms, "rollout", rotation.Done, "3 of 3 pods on v2").
		then(400*ms, "drain", rotation.Done, "0 sessions of backend").
		then(500*ms, "revoke", rotation.Done, "backend refused").
		then(510*ms, "soak", rotation.Waiting, "backend refused since 11:58:02").until(482 * time.Second)
}

// failed is a rollout that cannot go on and is taken back.
func failed() story {
	broken := pod("9f-b", rotation.Done, `CrashLoopBackOff: FATAL: password authentication failed for user "backend_v2"`)
	return beginning().
		then(12*time.Second, "rollout", rotation.Waiting, "1 of 4 pods on v2", broken, pod("7d-x", rotation.ToDo, "old")).
		then(5*time.Minute, "rollout", rotation.Failed, "1 of 4 pods on v2", broken, pod("7d-x", rotation.ToDo, "old"),
			rotation.Item{Name: "deployment/backend", Phase: rotation.Failed, Note: "ProgressDeadlineExceeded: ReplicaSet \"backend-9f\" has timed out progressing."}).
		then(301*time.Second, "begin", rotation.ToDo, "v2 to v1 is not recorded yet").abort().
		then(301100*ms, "begin", rotation.Applying, "v2 to v1 is not recorded yet").
		then(301200*ms, "begin", rotation.Done, "v2 to v1, decided by anna@example.com").
		then(301250*ms, "stage", rotation.Done, "v1 is backend").
		then(301300*ms, "install", rotation.Done, "backend: accepts (login)").
		then(301400*ms, "activate", rotation.ToDo, "v2 is active").
		then(301450*ms, "activate", rotation.Applying, "v2 is active").
		then(301500*ms, "activate", rotation.Done, "v1 is active since edition 3").
		then(302*time.Second, "rollout", rotation.Done, "3 of 3 pods on v1")
}

// hostile is evidence that was written by somebody who wants to be seen: a server, or the last words of a pod.
func hostile() story {
	words := "\x1b[2J\x1b]0;title\x07done\r\nrotating \u009b31m\u202egnp.exe\u2069\ttab"
	items := []rotation.Item{}
	for i := range 10 {
		items = append(items, rotation.Item{Name: "10.0.0." + string(rune('0'+i)) + " (\x1b[31mapp)", Phase: rotation.Waiting, Note: words})
	}
	s := story{}.then(0, "drain", rotation.Waiting, words, items...).then(time.Second, "drain", rotation.Stale, "")
	s[1].Error, s[1].Hint = words, words
	return s
}

func stories() map[string]story {
	return map[string]story{"finished": finished(), "resumed": resumed(), "failed": failed(), "hostile": hostile()}
}

// told is what Lines writes of a story.
func told(s story, style Style) string {
	var out strings.Builder
	l := NewLines(NewPrinter(&out), style)
	for _, e := range s {
		l.Emit(e)
	}
	return out.String()
}
