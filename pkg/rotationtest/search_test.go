package rotationtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// TestEveryOrderOfEvents walks all states within each of these bounds. Crashes before and after every effect,
// restarts of containers, and the order of events are unlimited in all of them.
func TestEveryOrderOfEvents(t *testing.T) {
	for _, c := range []struct {
		bounds Bounds
		long   bool // only without -short
	}{
		{Bounds{Told: true, Attempts: 3, Pods: 1}, false},
		{Bounds{Told: true, Attempts: 2, Pods: 2, Stale: true}, false},
		{Bounds{Told: true, Attempts: 3, Pods: 1, Emergency: true}, true},
		{Bounds{Told: true, Attempts: 2, Pods: 2, Emergency: true}, true},
		{Bounds{Told: true, Attempts: 2, Pods: 1, Emergency: true, Cut: true}, false},
		{Bounds{Told: true, Attempts: 2, Pods: 2, Emergency: true, Cut: true}, true},
		{Bounds{Attempts: 2, Pods: 2, Emergency: true, Cut: true}, true},
		{Bounds{Told: true, Attempts: 2, Pods: 1, Stalled: true}, true},
		{Bounds{Told: true, Attempts: 3, Pods: 1, Gate: true}, false},
		{Bounds{Told: true, Attempts: 2, Pods: 1, Gate: true, Emergency: true}, false},
		{Bounds{Told: true, Attempts: 2, Pods: 1, Gate: true, Stalled: true}, true},
		{Bounds{Told: true, Single: true, Attempts: 2, Pods: 1, Gate: true}, false},
		{Bounds{Attempts: 2, Pods: 1, Gate: true}, false},
		{Bounds{Told: true, Single: true, Attempts: 3, Pods: 1}, false},
		{Bounds{Told: true, Single: true, Attempts: 2, Pods: 2, Emergency: true}, false},
		{Bounds{Told: true, Single: true, Attempts: 2, Pods: 1, Stalled: true}, true},
		{Bounds{Attempts: 3, Pods: 1}, false},
		{Bounds{Attempts: 2, Pods: 2}, false},
		{Bounds{Asked: true, Attempts: 3, Pods: 1}, false},
		{Bounds{Asked: true, Attempts: 2, Pods: 2, Emergency: true}, true},
		{Bounds{Asked: true, Attempts: 1, Pods: 1, Emergency: true, Stale: true, Sessions: true}, false},
		{Bounds{Asked: true, Attempts: 3, Pods: 1, Stale: true}, false},
		{Bounds{Asked: true, Attempts: 2, Pods: 2, Stale: true}, true},
		{Bounds{Asked: true, Attempts: 1, Pods: 1, Stale: true, Stalled: true}, false},
		{Bounds{Asked: true, Attempts: 2, Pods: 2, Emergency: true, Cut: true, Sessions: true}, true},
		{Bounds{Asked: true, Attempts: 3, Pods: 1, Emergency: true, Sessions: true}, true},
		{Bounds{Asked: true, Attempts: 2, Pods: 2, Reloads: true}, false},
		{Bounds{Asked: true, Attempts: 2, Pods: 1, Reloads: true, Emergency: true, Sessions: true}, false},
		{Bounds{Attempts: 2, Pods: 2, Emergency: true}, true},
		{Bounds{Attempts: 2, Pods: 1, Stalled: true}, true},
		{Bounds{Told: true, Attempts: 2, Pods: 2, Async: true}, true},
		{Bounds{Told: true, Attempts: 2, Pods: 1, Async: true, Stalled: true}, true},
		{Bounds{Told: true, Attempts: 2, Pods: 1, Async: true, Emergency: true}, true},
		{Bounds{Told: true, Attempts: 2, Pods: 1, Async: true, Emergency: true, Cut: true}, true},
		{Bounds{Told: true, Single: true, Attempts: 2, Pods: 1, Async: true}, false},
		{Bounds{Attempts: 2, Pods: 1, Async: true, Emergency: true}, true},
		{Bounds{Attempts: 1, Pods: 1, Async: true, Stalled: true}, true},
		{Bounds{Asked: true, Attempts: 1, Pods: 1, Async: true, Emergency: true, Stale: true, Sessions: true}, false},
		{Bounds{Told: true, Attempts: 1, Pods: 1, Tenant: 1}, false},
		{Bounds{Told: true, Attempts: 1, Pods: 1, Tenant: 1, Emergency: true, Cut: true}, false},
		{Bounds{Told: true, Single: true, Attempts: 1, Pods: 1, Tenant: 1}, false},
	} {
		t.Run(name(c.bounds), func(t *testing.T) {
			if c.long && testing.Short() {
				t.Skip("takes long: left out with -short")
			}
			t.Parallel()
			start := time.Now()
			r := Search(c.bounds)
			t.Logf("%d states of %d worlds in %v", r.States, r.Worlds, time.Since(start).Round(time.Millisecond))
			if r.Finding != nil {
				t.Fatal(r.Finding)
			}
		})
	}
}

func name(b Bounds) string {
	parts := []string{"verifiers"}
	if b.Told {
		parts[0] = "server"
	}
	parts = append(parts, fmt.Sprintf("%d decisions", b.Attempts), fmt.Sprintf("%d pods", b.Pods))
	for _, o := range []struct {
		on   bool
		name string
	}{{b.Single, "one version at a time"}, {b.Asked, "asked themselves"}, {b.Stale, "stale reads"}, {b.Stalled, "a stalled operator"}, {b.Emergency, "emergencies"}, {b.Gate, "a gate"}, {b.Cut, "pods ended at once"}, {b.Reloads, "files read again"}, {b.Sessions, "sessions"}, {b.Async, "an asynchronous publication"}, {b.Tenant > 0, fmt.Sprintf("a tenant who forges %d times", b.Tenant)}} {
		if o.on {
			parts = append(parts, o.name)
		}
	}
	return strings.Join(parts, ", ")
}

// TestSabotageIsNoticed changes the list in the ways that would lose a request, and expects the search to find out.
func TestSabotageIsNoticed(t *testing.T) {
	server := Bounds{Told: true, Attempts: 1, Pods: 1}
	verifiers := Bounds{Attempts: 1, Pods: 2}
	for _, c := range []struct {
		name     string
		bounds   Bounds
		sabotage func([]rotation.Step) []rotation.Step
		want     string
	}{
		{"install and activate swapped", server, swap(rotation.StepInstall, rotation.StepActivate), "which node"},
		{"drain and revoke swapped", server, swap(rotation.StepDrain, rotation.StepRevoke), "which node"},
		{"drain left out", server, without(rotation.StepDrain), "which node"},
		{"rollout left out, with one version at a time", Bounds{Told: true, Single: true, Attempts: 1, Pods: 1}, without(rotation.StepRollout), "which node"},
		{"verify left out", Bounds{Told: true, Attempts: 1, Pods: 1, Gate: true}, without(rotation.StepVerify), "while the gate was bad"},
		{"distribute and activate swapped", verifiers, swap(rotation.StepDistribute, rotation.StepActivate), "refuses what was issued"},
		{"forget left out, with stale reads", Bounds{Asked: true, Attempts: 1, Pods: 1, Emergency: true, Stale: true}, without(rotation.StepForget), "still accepts what has leaked"},
		{"sessions ended first", Bounds{Asked: true, Attempts: 1, Pods: 1, Emergency: true, Sessions: true}, swap(rotation.StepRollout, rotation.StepSessions), "sessions were ended"},
		{"drain and unpublish swapped", verifiers, swap(rotation.StepDrain, rotation.StepRevoke), "refuses what was issued"},
		{"published again while it arrives", Bounds{Told: true, Attempts: 1, Pods: 1, Async: true}, impatient, "while it was arriving"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.bounds.Sabotage = c.sabotage
			noticed(t, c.bounds, c.want)
		})
	}
}

// TestSabotageIsNoticedOfAStore leaves out what a store has to do about a publication that takes its time.
func TestSabotageIsNoticedOfAStore(t *testing.T) {
	for _, c := range []struct {
		name   string
		bounds Bounds
		omits  omission
		want   string
	}{
		{"the edition before the sync, a server", Bounds{Told: true, Attempts: 1, Pods: 1}, omitsWait, "no end on the way"},
		{"the edition before the sync, verifiers", Bounds{Attempts: 1, Pods: 2, Stuck: true}, omitsWait, "refuses what was issued"},
		{"the value is enough, a server", Bounds{Told: true, Attempts: 2, Pods: 1}, omitsProof, "which node"},
		{"the value is enough, verifiers", Bounds{Attempts: 2, Pods: 1}, omitsProof, "whose values are not on record"},
		{"an edition dated by the note", Bounds{Attempts: 2, Pods: 1}, datesLate, "refuses what was issued"},
		{"an edition dated by the provider", Bounds{Told: true, Attempts: 2, Pods: 1, Emergency: true}, datesEarly, "still accepts what has leaked"},
		{"no stamp of the decision, a server", Bounds{Told: true, Attempts: 2, Pods: 1, Stalled: true}, omitsStamp, "which node"},
		{"no edition for what was left, a server", Bounds{Told: true, Attempts: 2, Pods: 1}, omitsLeft, "which node"},
		{"no edition for what was left, verifiers", Bounds{Attempts: 2, Pods: 1}, omitsLeft, "whose values are not on record"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.bounds.Async, c.bounds.Omits = true, c.omits
			noticed(t, c.bounds, c.want)
		})
	}
}

// noticed wants a search to find something of that kind.
func noticed(t *testing.T, b Bounds, want string) {
	t.Helper()
	r := Search(b)
	if r.Finding == nil {
		t.Fatalf("%d states, and nothing found wrong", r.States)
	}
	if !strings.Contains(r.Finding.What, want) {
		t.Errorf("found %q, want something with %q", r.Finding.What, want)
	}
	t.Log(r.Finding)
}

// TestObedienceIsNoticed has a server that takes the record's word for whose a login is, or whom it belongs to: the search finds what
// a tenant has done to others by that.
func TestObedienceIsNoticed(t *testing.T) {
	ordinary, emergency := Bounds{Told: true, Attempts: 1, Pods: 1}, Bounds{Told: true, Attempts: 1, Pods: 1, Emergency: true, Cut: true}
	for _, c := range []struct {
		name   string
		bounds Bounds
		obeys  obedience
		want   string
	}{
		{"a name, in a rotation", ordinary, obeysNames, "the login of another"},
		{"a name, in an emergency", emergency, obeysNames, "the login of another"},
		{"an owner, in a rotation", ordinary, obeysOwners, "the rights of another"},
		{"an owner, in an emergency", emergency, obeysOwners, "the rights of another"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.bounds.Tenant, c.bounds.Obeying = 1, c.obeys
			noticed(t, c.bounds, c.want)
		})
	}
}

func find(steps []rotation.Step, name string) int {
	return slices.IndexFunc(steps, func(s rotation.Step) bool { return s.Name == name })
}

func swap(a, b string) func([]rotation.Step) []rotation.Step {
	return func(steps []rotation.Step) []rotation.Step {
		i, j := find(steps, a), find(steps, b)
		if i < 0 || j < 0 { // not every list has every step
			return steps
		}
		steps[i], steps[j] = steps[j], steps[i]
		return steps
	}
}

// impatient has activate published again although it is waited for.
func impatient(steps []rotation.Step) []rotation.Step {
	activate := &steps[find(steps, rotation.StepActivate)]
	check := activate.Check
	activate.Check = func(ctx context.Context, rec rotation.Record) (rotation.State, error) {
		s, err := check(ctx, rec)
		if s.Phase == rotation.Waiting {
			s.Phase = rotation.ToDo
		}
		return s, err
	}
	return steps
}

func without(name string) func([]rotation.Step) []rotation.Step {
	return func(steps []rotation.Step) []rotation.Step {
		return slices.DeleteFunc(steps, func(s rotation.Step) bool { return s.Name == name }) // not every list has every step
	}
}
