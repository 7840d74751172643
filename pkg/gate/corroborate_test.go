package gate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const podAddress = "10.0.0.7"

// suspect is a pod on the new version.
func suspect(ready bool) Pod {
	at := noon.Add(time.Minute)
	return Pod{Namespace: "n", Name: "new", Containers: []string{"app"}, Known: rotation.Pod{
		Edition: 2, Created: at, Started: []time.Time{at}, Addresses: []string{podAddress}, Ready: ready,
	}}
}

// usedFrom is who uses the new version: a session from each address.
func usedFrom(addresses ...string) rotation.Usage {
	u := rotation.Usage{Known: true}
	for _, a := range addresses {
		u.Sessions = append(u.Sessions, rotation.Session{Address: a, Since: noon.Add(2 * time.Minute)})
	}
	return u
}

// What one client can cause never fails a gate. What no client can cause does: a pod that is not ready, and a new version that
// nobody gets in with.
func TestAFindingFailsAGateOnlyWhereSomethingElseConfirmsIt(t *testing.T) {
	const others = "10.0.0.9"
	silent := usedFrom()
	silent.Silent = []rotation.Standing{{Where: "redis-1"}}
	old := usedFrom(podAddress)
	old.Sessions[0].Since = noon
	for _, c := range []struct {
		name   string
		server bool // the server saw it, from the pod's address
		count  int
		age    time.Duration
		unwell bool
		usage  rotation.Usage
		want   rotation.Phase
	}{
		{"one forged line", false, 1, 0, false, usedFrom(podAddress), rotation.Waiting},
		{"one forged line while nobody is connected", false, 1, 0, false, usedFrom(), rotation.Waiting},
		{"forged lines on and on", false, 500, 0, false, usedFrom(podAddress), rotation.Waiting},
		{"forged lines on and on, sessions come from a pooler", false, 500, 0, false, usedFrom(others), rotation.Waiting},
		{"forged lines, sessions are not known", false, 500, 0, false, rotation.Usage{}, rotation.Waiting},
		{"forged lines, a node is silent", false, 500, 0, false, silent, rotation.Waiting},
		{"a forged line a while ago", false, 1, time.Minute, false, usedFrom(podAddress), rotation.Done},
		{"one wrong login out of a pod", true, 1, 0, false, usedFrom(podAddress), rotation.Waiting},
		{"wrong logins out of a pod, on and on", true, 500, 0, false, usedFrom(podAddress), rotation.Waiting},
		{"a wrong login a while ago, and the pod is connected", true, 1, time.Minute, false, usedFrom(podAddress), rotation.Done},
		{"wrong logins, the server hides addresses", true, 500, 0, false, usedFrom("an address not shown to admin"), rotation.Waiting},

		{"lines, and nobody is connected", false, 2, 0, false, usedFrom(), rotation.Failed},
		{"a line, and the pod is not ready", false, 1, 0, true, usedFrom(podAddress), rotation.Failed},
		{"a line a while ago, and the pod is not ready", false, 1, time.Minute, true, usedFrom(others), rotation.Failed},
		{"refused, and not connected", true, 2, 0, false, usedFrom(others), rotation.Failed},
		{"refused, and whoever had the address before is connected", true, 2, 0, false, old, rotation.Failed},
		{"refused, and not ready", true, 1, 0, true, usedFrom(), rotation.Failed},
		{"refused once at its start, and never connected", true, 1, time.Minute, false, usedFrom(others), rotation.Waiting},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := noon.Add(10 * time.Minute)
			judge := Corroborator{
				InUse: func(_ context.Context, of rotation.Credential) (rotation.Usage, error) {
					if of.ID != "backend_v2" {
						t.Errorf("asked who uses %s", of.ID)
					}
					return c.usage, nil
				},
				Now: func() time.Time { return now },
			}
			f := finding{pod: suspect(!c.unwell), last: now.Add(-c.age), count: c.count, server: c.server, note: "was found"}
			item, err := judge.judge(t.Context(), switched(), []finding{f}, "all is well")
			if err != nil || item.Phase != c.want || !strings.Contains(item.Note, "pod/new was found; ") {
				t.Errorf("got %s: %s (%v), want %s", item.Phase, item.Note, err, c.want)
			}
		})
	}
}

// A pod whose connections are short has one at some looks and none at others: what was seen half a minute ago counts.
func TestAPodThatConnectsForEachRequest(t *testing.T) {
	now, usage := noon.Add(10*time.Minute), usedFrom(podAddress)
	judge := Corroborator{
		InUse: func(context.Context, rotation.Credential) (rotation.Usage, error) { return usage, nil },
		Now:   func() time.Time { return now },
	}
	for _, step := range []struct {
		usage rotation.Usage
		after time.Duration
		want  rotation.Phase
	}{
		{usedFrom(podAddress), 0, rotation.Waiting},
		{usedFrom(), 20 * time.Second, rotation.Waiting},
		{usedFrom(podAddress), 5 * time.Second, rotation.Waiting},
		{usedFrom(), 29 * time.Second, rotation.Waiting},
		{usedFrom(), 2 * time.Second, rotation.Failed}, // it never came back
	} {
		now, usage = now.Add(step.after), step.usage
		f := finding{pod: suspect(true), last: now, count: 50, server: true, note: "is refused"}
		item, err := judge.judge(t.Context(), switched(), []finding{f}, "")
		if err != nil || item.Phase != step.want {
			t.Errorf("at %v: got %s: %s (%v), want %s", now.Sub(noon), item.Phase, item.Note, err, step.want)
		}
	}
}

// The worst finding is the gate's; a server that cannot be asked neither confirms nor clears one.
func TestTheWorstFindingCounts(t *testing.T) {
	now := noon.Add(10 * time.Minute)
	judge := Corroborator{Now: func() time.Time { return now }}
	well, unwell := suspect(true), suspect(false)
	unwell.Name = "broken"
	all := []finding{{pod: well, last: noon, count: 1}, {pod: well, last: now, count: 1}, {pod: unwell, last: now, count: 1}}
	for n, want := range []rotation.Phase{rotation.Done, rotation.Done, rotation.Waiting, rotation.Failed} {
		if item, err := judge.judge(t.Context(), switched(), all[:n], ""); err != nil || item.Phase != want {
			t.Errorf("%d findings: got %s (%v), want %s", n, item.Phase, err, want)
		}
	}
	away := errors.New("the server is away")
	judge.InUse = func(context.Context, rotation.Credential) (rotation.Usage, error) { return rotation.Usage{}, away }
	if item, err := judge.judge(t.Context(), switched(), all, ""); !errors.Is(err, away) {
		t.Errorf("got %+v, %v", item, err)
	}
}

// The server's own log confirms lines of a pod's log: the pod is refused, though others are connected.
func TestLogsThatTheServerConfirms(t *testing.T) {
	line := `2026-05-01T12:09:5%d.5Z password authentication failed for user "backend_v2"` + "\n"
	logs := map[string]string{"new/app": fmt.Sprintf(line, 8) + fmt.Sprintf(line, 9)}
	g := logsOf(t, logs)
	g.Pods = func(context.Context) ([]Pod, error) { return []Pod{suspect(true)}, nil }
	g.Now = func() time.Time { return noon.Add(10 * time.Minute) }
	g.InUse = func(context.Context, rotation.Credential) (rotation.Usage, error) { return usedFrom("10.0.0.9"), nil }
	looks(t, g, switched(), rotation.Waiting, "any client may have caused it")
	g.Refused = func(_ context.Context, since time.Time, cs []rotation.Credential) ([]rotation.Refusal, error) {
		if !since.Equal(noon) || len(cs) != 2 {
			t.Errorf("asked for %v since %v", cs, since)
		}
		return []rotation.Refusal{{ID: "backend_v2", Address: podAddress, Last: noon.Add(5 * time.Minute), Count: 9}}, nil
	}
	looks(t, g, switched(), rotation.Failed, "the server sees no session of the new version from that pod")
	g.Refused = func(context.Context, time.Time, []rotation.Credential) ([]rotation.Refusal, error) {
		return nil, errors.New("its log cannot be read")
	}
	looks(t, g, switched(), rotation.Waiting, "any client may have caused it")
}
