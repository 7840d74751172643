package e2e

import (
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Who tries the old login during the soak is named, from the log of the server's pod, and holds nothing up. Where the log
// may not be read, that is what is said.
func TestTurnedAwayDuringTheSoak(t *testing.T) {
	long(t)
	w := newWorld(t)
	old := w.login()
	r := w.start("restricted", "postgres", "--yes", "--soak=12s")
	if !r.comesTo(rotation.StepSoak, rotation.Waiting) {
		t.Fatalf("it never soaked: %s", r.ended())
	}
	for range 2 {
		if w.accepted(old) {
			t.Error("the old login still gets in")
		}
	}
	if end := r.ended(); end.code != 0 {
		t.Fatalf("want exit code 0: %s", end)
	}
	said := map[rotation.Phase]string{}
	for _, e := range r.events {
		for _, i := range e.Items {
			if e.Step == rotation.StepSoak && strings.HasPrefix(i.Note, "turned away") {
				said[e.State] = e.Note + "; " + i.Note
			}
		}
	}
	for state, want := range map[rotation.Phase]string{
		rotation.Waiting: ", and still tried by 1; turned away as backend since ",
		rotation.Done:    "refused for 12s, and still tried by 1; turned away as backend 2 times, the last at ",
	} {
		if !strings.Contains(said[state], want) {
			t.Errorf("%s: %q, want %q", state, said[state], want)
		}
	}

	role, err := w.kube.RbacV1().Roles(w.ns).Get(w.ctx, "kubectl-rotate", metav1.GetOptions{})
	w.must("reading the Role", err)
	role.Rules = slices.DeleteFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return slices.Contains(r.Resources, "pods/log") })
	w.permit(role)
	w.rotate(0, "postgres", "--yes", "--again", "--soak=1s").says(t,
		"whether anybody is turned away is not known: that takes the permission to get pods/log in namespace "+w.ns)
	w.standby("backend_v3")
}
