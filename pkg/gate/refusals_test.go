package gate

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A refusal counts by whose it is: a pod's on the new version that has no session is bad, one of anybody else is told, and what is not
// known passes nothing.
func TestPodsOnTheNewVersionThatAreRefused(t *testing.T) {
	at := noon.Add(2 * time.Minute)
	fresh := rotation.Pod{Edition: 2, Ready: true, Created: noon.Add(time.Minute), Started: []time.Time{noon.Add(time.Minute)}, Addresses: []string{"10.0.0.7"}}
	stale := rotation.Pod{Edition: 1, Created: noon.Add(-time.Hour), Started: []time.Time{noon.Add(-time.Hour)}, Addresses: []string{"10.0.0.8"}}
	by := func(id, address string, at time.Time) []rotation.Refusal {
		return []rotation.Refusal{{ID: id, Address: address, First: at, Last: at, Count: 3}}
	}
	for _, c := range []struct {
		name    string
		refused []rotation.Refusal
		err     error
		want    rotation.Phase
		note    string
	}{
		{"nobody", nil, nil, rotation.Done, "none of 1 pods since 12:00:00 UTC"},
		{"a pod with the new login", by("backend_v2", "10.0.0.7", at), nil, rotation.Failed, "pod/new as backend_v2, 3 times, the last at 12:02:00 UTC"},
		{"a pod with the old login", by("backend", "10.0.0.7", at), nil, rotation.Failed, "pod/new as backend"},
		{"a pod on its way out", by("backend", "10.0.0.8", at), nil, rotation.Done, "somebody else at 10.0.0.8, as backend"},
		{"whoever had the address before", by("backend", "10.0.0.7", noon.Add(time.Second)), nil, rotation.Done, "somebody else at 10.0.0.7"},
		{"a client without an address", by("backend_v2", "", at), nil, rotation.Done, "somebody else at a local socket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := &Refusals{
				Corroborator: Corroborator{
					InUse: func(context.Context, rotation.Credential) (rotation.Usage, error) { return usedFrom("10.0.0.9"), nil },
					Now:   func() time.Time { return at.Add(time.Second) },
				},
				Pods: func(context.Context) ([]Pod, error) {
					return []Pod{{Name: "new", Known: fresh}, {Name: "old", Known: stale}}, nil
				},
				Refused: func(_ context.Context, since time.Time, cs []rotation.Credential) ([]rotation.Refusal, error) {
					if !since.Equal(noon) || len(cs) != 2 {
						t.Errorf("asked for %v since %v", cs, since)
					}
					return c.refused, c.err
				},
			}
			looks(t, g, switched(), c.want, c.note)
		})
	}
	unknown := errors.New("redis-1 is away")
	g := &Refusals{Refused: func(context.Context, time.Time, []rotation.Credential) ([]rotation.Refusal, error) {
		return nil, unknown
	}}
	if item, err := g.Look(t.Context(), switched()); !errors.Is(err, unknown) {
		t.Errorf("what is not known: %+v, %v", item, err)
	}
	before := switched()
	before.Editions = before.Editions[:1]
	looks(t, g, before, rotation.Waiting, "nothing runs on the new version yet")
}
