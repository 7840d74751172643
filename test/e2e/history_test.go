package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A rotation that is killed and continued by somebody else has both names; one that is killed at its very last event has
// ended all the same; and no value stands in the history.
func TestHistoryOfRotationsThatAreKilled(t *testing.T) {
	long(t)
	w := newWorld(t)
	if !w.killAt(rotation.StepRollout, rotation.Waiting) {
		t.Fatal("it was over before")
	}
	if s := w.history()[0]; s.Outcome != history.UnderWay || !slices.Equal(s.By, []string{"restricted"}) || len(s.Steps) == 0 {
		t.Errorf("killed in the rollout: %+v", s)
	}
	if r := w.as("admin", "postgres", "--yes", "--soak=1s"); r.code != 0 {
		t.Fatal(r)
	}
	s := w.history()[0]
	if s.Outcome != history.Finished || !slices.Equal(s.By, []string{"restricted", "admin"}) || s.Runs != 2 || len(s.Steps) < 9 {
		t.Errorf("continued: %+v", s)
	}
	for _, step := range s.Steps {
		if !step.Done || step.Note == "" {
			t.Errorf("no proof of %+v", step)
		}
	}
	r := w.start("restricted", "postgres", "--yes", "--again", "--soak=1s")
	if !r.comesTo(rotation.StepRetire, rotation.Done) {
		t.Fatal("it never retired")
	}
	r.killed()
	if all := w.history(); len(all) != 2 || all[1].Outcome != history.Finished {
		t.Errorf("killed at its last event: %+v", all)
	}
	w.rotate(3, "postgres", "--yes", "--again", "--until=activate")
	w.rotate(0, "abort", "postgres", "--yes", "--soak=1s")
	var outcomes []history.Outcome
	for _, s := range w.history() {
		outcomes = append(outcomes, s.Outcome)
	}
	if !slices.Equal(outcomes, []history.Outcome{history.Finished, history.Finished, history.Aborted, history.Finished}) {
		t.Errorf("got %v", outcomes)
	}
	for _, wanted := range []string{"Rotation:   v1 to v2", "restricted, admin", "at begin: proceed"} {
		if r := w.rotate(0, "history", "postgres", "1"); !strings.Contains(r.stdout, wanted) {
			t.Errorf("no word of %q: %s", wanted, r)
		}
	}
	kept, err := w.kube.CoreV1().ConfigMaps(w.ns).Get(w.ctx, "postgresql-credentials-rotate-history", metav1.GetOptions{})
	w.must("reading the history", err)
	text, err := json.Marshal(kept)
	w.must("encoding it", err)
	if found := leaked(string(text), w.login().password); found != nil {
		t.Errorf("it holds the password: %v", found)
	}
}

// Without the permission to keep a history the rotation says so, once, and goes on.
func TestHistoryNeverBlocksARotation(t *testing.T) {
	w := newWorld(t)
	role, err := w.kube.RbacV1().Roles(w.ns).Get(w.ctx, "kubectl-rotate", metav1.GetOptions{})
	w.must("reading the Role", err)
	role.Rules = slices.DeleteFunc(role.Rules, func(r rbacv1.PolicyRule) bool { return slices.Equal(r.Resources, []string{"configmaps"}) })
	w.permit(role)
	r := w.rotate(0, "postgres", "--yes", "--soak=1s")
	w.standby("backend_v2")
	if n := strings.Count(r.stderr, "the history in configmap"); n != 1 {
		t.Errorf("said %d times: %s", n, r)
	}
	if got := w.rotate(1, "history"); !strings.Contains(got.stderr, "configmaps") || !strings.Contains(got.stderr, "hint: ") {
		t.Errorf("got %s", got)
	}
}

// history is that of the platform's target, as the restricted user reads it.
func (w *world) history() []history.Story { w.Helper(); return w.historyOf("postgres") }

// historyOf is that of a target, which may come with flags.
func (w *world) historyOf(args ...string) []history.Story {
	w.Helper()
	var list struct{ Items []history.Story }
	args = append(append([]string{"history"}, args...), "-o", "json")
	w.must("reading the history", json.Unmarshal([]byte(w.rotate(0, args...).stdout), &list))
	if len(list.Items) == 0 {
		w.Fatal("there is no history")
	}
	return list.Items
}
