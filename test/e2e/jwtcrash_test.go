package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// What changes something in a rotation of signing keys.
const (
	toKeys   = "PATCH secrets/jwt-keys"
	toRecord = "PATCH secrets/jwt-keys-rotate"
	toPods   = "PATCH deployments/backend"
	toLease  = "PUT leases/jwt-keys-rotate"
)

// Every request of a rotation of signing keys that changes something is once held before it is sent on, and once when it was
// done and the answer is on its way; the run is killed with SIGKILL then, and the same command goes on. So it goes for
// the way back from the middle of the next. No valid token is refused all the while.
func TestSigningKeysKilledInEveryRequest(t *testing.T) {
	long(t)
	alone(t)
	w, config := signing(t, 5*time.Second)
	w.loadedWith(25)
	name, value := w.signingKey()
	killed := w.killedInEach(w.theKeyInUseServes, "jwt", config, "--yes")
	w.killedIn(killed, "POST leases", toLease,
		"POST secrets", toKeys, toRecord, toRecord, // begin, and both values
		toKeys, toPods, // publish, distribute
		toKeys, toPods, toKeys, // activate, rollout, since when nobody signs with the old key
		toKeys, toPods, // revoke, forget
		toKeys, toRecord) // the tombstone, and the value
	w.refusedEverywhere(name, value)
	w.erased(value)

	before, _ := w.signingKey()
	w.rotate(3, "jwt", config, "--yes", "--again", "--until=activate")
	pending, key := w.signingKey()
	w.killedInEach(w.theKeyInUseServes, "abort", "jwt", config, "--yes")
	if now, _ := w.signingKey(); now != before {
		t.Errorf("the key in use is %s, want %s", now, before)
	}
	w.refusedEverywhere(pending, key)
	w.erased(key)
}

// The answer to a leak, killed in everything that it changes, ends like one that was not.
func TestEmergencyKilledInEveryRequest(t *testing.T) {
	long(t)
	for _, c := range []struct {
		name string
		args []string
		want []string
	}{
		{"rolling", nil, []string{toPods}},
		{"cut", []string{"--cut"}, []string{toPods, "POST pods/POD/eviction"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, config := signing(t, time.Minute)
			name, value := w.signingKey()
			killed := w.killedInEach(func(string) {}, append([]string{"emergency-jwt", config, "--yes"}, c.args...)...)
			w.killedIn(slices.Compact(anyPod(killed)), slices.Concat([]string{"POST leases", toLease,
				"POST secrets", toKeys, toRecord, toKeys}, // begin, both values, activate
				c.want, []string{toKeys, toRecord})...) // the tombstone, and the value
			w.refusedEverywhere(name, value)
			w.erased(value)
		})
	}
}

// anyPod is what was done, whichever pod it was done to.
func anyPod(done []string) (all []string) {
	name := regexp.MustCompile(`pods/backend-[a-z0-9-]+`)
	for _, one := range done {
		all = append(all, name.ReplaceAllString(one, "pods/POD"))
	}
	return all
}

// theKeyInUseServes wants no pod to refuse a token of the key that the Secret says to sign with.
func (w *world) theKeyInUseServes(what string) {
	w.Helper()
	name, value := w.signingKey()
	for _, p := range w.pods() {
		if p.Status.PodIP != "" && answers(w.ctx, p.Status.PodIP, forge(name, value)) == http.StatusUnauthorized {
			w.Fatalf("killed in %s: pod %s refuses %s", what, p.Name, name)
		}
	}
}

// What is waited for, until the last token of the old key has expired, is on record: a run that is killed meanwhile does not
// begin it anew, nor does another one, and status tells what is left.
func TestTheWaitForTokensOutlivesTheRun(t *testing.T) {
	long(t)
	w, config := signing(t, 40*time.Second)
	first := w.start("restricted", "jwt", config, "--yes")
	if !first.comesTo(rotation.StepDrain, rotation.Waiting) {
		t.Fatalf("it ended before its drain: %s", first.ended())
	}
	until := first.events[len(first.events)-1].Until
	first.killed()
	looked := w.drainOf(w.rotate(0, "status", "jwt", config, "-o", "json"))
	if looked.State != rotation.Waiting || !looked.Until.Equal(until) {
		t.Errorf("status says %s until %v, want waiting until %v", looked.State, looked.Until, until)
	}
	w.rotate(0, "status", "jwt", config).says(t, "drain", "what was is valid for 41s")
	w.rotate(3, "jwt", config, "--yes", "--wait=false")
	second := w.start("restricted", "jwt", config, "--yes")
	if !second.comesTo(rotation.StepDrain, rotation.Waiting) {
		t.Fatalf("it did not wait: %s", second.ended())
	}
	if now := second.events[len(second.events)-1].Until; !now.Equal(until) {
		t.Errorf("it waits until %v, want %v as before", now, until)
	}
	if !second.comesTo(rotation.StepDrain, rotation.Done) {
		t.Fatalf("it never ended: %s", second.ended())
	}
	if at := second.events[len(second.events)-1].Time; at.Before(until) || at.After(until.Add(5*time.Second)) {
		t.Errorf("the wait ended at %v, want %v", at, until)
	}
	if r := second.ended(); r.code != 0 {
		t.Error(r)
	}
}

// drainOf is the step drain in what status says as JSON.
func (w *world) drainOf(r result) report.StepStatus {
	w.Helper()
	var list struct{ Items []report.Status }
	w.must("reading the status", json.Unmarshal([]byte(r.stdout), &list))
	for _, s := range list.Items {
		for _, step := range s.Steps {
			if step.Name == rotation.StepDrain {
				return step
			}
		}
	}
	w.Fatalf("there is no drain: %s", r)
	return report.StepStatus{}
}
