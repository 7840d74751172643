package e2e

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// New pods that cannot live with the new login end the rollout; the rotation goes back by itself, all the way, and names
// the pods and what they said. Nobody's request was lost.
func TestRolloutThatFails(t *testing.T) {
	alone(t)
	w := newWorld(t)
	w.loaded()
	before := w.login()
	w.deadline(40)
	w.rotate(3, "postgres", "--yes", "--until=install")
	w.rejectFromPods("backend_v2")
	r := w.rotate(1, "postgres", "--yes", "--soak=1s")
	for _, want := range []string{"rollout failed", "pod/backend-", "does not become ready", "login refused", "taken back"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no word of %q: %s", want, r)
		}
	}
	if w.login() != before {
		t.Errorf("the login is %s, want %s with its old password", w.login().user, before.user)
	}
	w.standby("backend")
}

// A rollout that is slow is not one that has failed: it stays under way, and goes on later.
func TestRolloutThatIsSlow(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loaded()
	w.rotate(3, "postgres", "--yes", "--until=install")
	w.rejectFromPods("backend_v2")
	r := w.rotate(3, "postgres", "--yes", "--soak=1s", "--timeout=5s")
	if !strings.Contains(r.stdout, "kubectl rotate postgres") {
		t.Errorf("no word of how to go on: %s", r)
	}
	w.acceptFromPods()
	w.rotate(0, "postgres", "--yes", "--soak=1s")
	w.standby("backend_v2")
}

// deadline has a rollout of the backend fail after some seconds without progress.
func (w *world) deadline(seconds int) {
	w.Helper()
	patch := []byte(fmt.Sprintf(`{"spec":{"progressDeadlineSeconds":%d}}`, seconds))
	_, err := w.kube.AppsV1().Deployments(w.ns).Patch(w.ctx, "backend", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	w.must("setting the progress deadline", err)
}

// rejectFromPods has the server turn a login away when it comes from a pod, as a rule that someone forgot about in
// pg_hba.conf would: a port-forward, which comes from the server's own loopback, does not see it.
func (w *world) rejectFromPods(user string) {
	w.Helper()
	w.superuser(`COPY (SELECT 'host all ` + user + ` 10.0.0.0/8 reject') TO PROGRAM
		'cp pg_hba.conf pg_hba.kept; cat - pg_hba.kept > pg_hba.conf'`)
	w.superuser(`SELECT pg_reload_conf()`)
}

// acceptFromPods takes that back.
func (w *world) acceptFromPods() {
	w.Helper()
	w.superuser(`COPY (SELECT 1) TO PROGRAM 'cat >/dev/null; cp pg_hba.kept pg_hba.conf'`)
	w.superuser(`SELECT pg_reload_conf()`)
}
