package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// sprint formats a credential in the ways in which one slips into a message.
func sprint(c rotation.Credential, s rotation.Secret) string {
	return fmt.Sprintf("%v %+v %s %x %q %d", c, c, s, s, s, s)
}

// The lines of JSON are an interface: the golden file shows every field.
func TestJSON(t *testing.T) {
	s := resumed()
	s[0].Error, s[0].Hint, s[0].Back = "it rains", "wait for the sun", true
	s[1].Items = []rotation.Item{{Name: "pod/a", Phase: rotation.ToDo, Note: "old <1>"}, {Name: "node"}}
	var out bytes.Buffer
	j := NewJSON(NewPrinter(&out))
	for _, e := range s {
		j.Emit(e)
	}
	if err := j.Err(); err != nil {
		t.Fatal(err)
	}
	golden(t, "events.jsonl", out.String())
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	for i := range s {
		var e rotation.Event
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s[i], e); diff != "" {
			t.Errorf("event %d does not read back: %s", i, diff)
		}
	}
}

// closed is a reader that has gone away.
type closed struct{ writes int }

func (c *closed) Write([]byte) (int, error) {
	c.writes++
	return 0, io.ErrClosedPipe
}

func TestJSONStopsAtAnError(t *testing.T) {
	w := &closed{}
	j := NewJSON(NewPrinter(w))
	j.Emit(rotation.Event{})
	j.Emit(rotation.Event{})
	if w.writes != 1 || !errors.Is(j.Err(), io.ErrClosedPipe) {
		t.Errorf("%d writes, %v", w.writes, j.Err())
	}
}

func summary(t *testing.T, s story, end End, width int) string {
	t.Helper()
	var sum Summary
	for _, e := range s {
		sum.Emit(e)
	}
	var out strings.Builder
	if err := sum.Write(NewPrinter(&out), end, Style{Width: width, Color: true}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestSummary(t *testing.T) {
	goOn, undo := "kubectl rotate postgres --context prod -n shop", "kubectl rotate abort postgres --context prod -n shop"
	waiting := rotation.State{Phase: rotation.Waiting, Note: "backend refused since 11:58:02", Until: noon.Add(482e9)}
	for name, text := range map[string]string{
		"finished":  summary(t, finished(), End{Outcome: rotation.Finished, Continue: goOn, Undo: undo}, 80),
		"under way": summary(t, resumed(), End{Outcome: rotation.UnderWay, Waiting: waiting, Continue: goOn, Undo: undo}, 80),
		"failed":    summary(t, failed(), End{Err: errors.New("rollout failed"), Continue: "kubectl rotate abort postgres"}, 80),
		"narrow":    summary(t, failed(), End{Outcome: rotation.Finished}, 40),
		"refused":   summary(t, beginning()[:1], End{Err: errors.New("a superuser"), Continue: goOn, Undo: undo}, 80),
		"nothing":   summary(t, nil, End{Err: errors.New("no cluster")}, 80),
	} {
		golden(t, "summary."+strings.ReplaceAll(name, " ", "-")+".txt", text)
	}
}

func TestError(t *testing.T) {
	inner := rotation.WithHint(errors.New("role \"backend\" is a superuser"), "rotate a login of the application instead")
	for name, err := range map[string]error{
		"nothing":   nil,
		"hint":      fmt.Errorf("begin: %w", rotation.Refuse(inner)),
		"no hint":   errors.New("it rains"),
		"two lines": errors.New("file:1: a\nfile:2: b"),
		"hostile":   rotation.WithHint(errors.New("\x1b[2Jred\r"), "\x1b[0m"),
	} {
		var out strings.Builder
		Error(NewPrinter(&out), err, Style{})
		golden(t, "error."+strings.ReplaceAll(name, " ", "-")+".txt", out.String())
	}
}

func TestPlan(t *testing.T) {
	intent := rotation.Intent{From: 1, To: 2, Attempt: 1, By: "anna@example.com", At: noon}
	steps := []rotation.Planned{
		{Step: "begin", Goal: "the decision is recorded", State: rotation.ToDo, Note: "v1 to v2 is not recorded yet"},
		{Step: "install", Goal: "the server accepts the new version, everywhere", State: rotation.ToDo, Note: "backend_v2: absent",
			Lines: []string{"CREATE ROLE backend_v2 LOGIN PASSWORD '[redacted]' IN ROLE backend", "ALTER ROLE backend_v2 SET role TO 'backend'"}},
	}
	var text, doc strings.Builder
	if err := errors.Join(Plan(NewPrinter(&text), intent, steps), PlanJSON(NewPrinter(&doc), intent, steps)); err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.txt", text.String())
	golden(t, "plan.json", doc.String())
}
