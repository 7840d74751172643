package e2e

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Somebody deletes the values in the middle of a rotation. The same command does not begin anew as if nothing had been: it refuses,
// and names the login that no rotation would revoke. Starting over takes a consent of its own, and says so again.
func TestALostRecordIsNoNewRotation(t *testing.T) {
	w := newWorld(t)
	old := w.login()
	w.rotate(3, "postgres", "--yes", "--until=rollout")
	w.must("deleting the values", w.kube.CoreV1().Secrets(w.ns).Delete(w.ctx, "postgresql-credentials-rotate", metav1.DeleteOptions{}))
	for _, args := range [][]string{
		{"postgres", "--yes", "--accept=unproven,stale"}, {"postgres", "--yes", "--compromised"}, {"abort", "postgres", "--yes"},
	} {
		r := w.rotate(4, args...)
		r.says(t, "has lost v1 ("+old.user+") and v2", "--accept=lost-record", "revoke v1 ("+old.user+") yourself")
	}
	if !w.accepted(old) {
		t.Errorf("%s was taken away by a run that was refused", old.user)
	}
	r := w.rotate(0, "postgres", "--yes", "--soak=0", "--accept=lost-record")
	r.says(t, "revoke v1 ("+old.user+") yourself")
	if now := w.login(); now.user == old.user || !w.accepted(now) {
		t.Errorf("the login in use is %s", now.user)
	}
}
