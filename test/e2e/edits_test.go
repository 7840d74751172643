package e2e

import (
	"context"
	"encoding/json"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
)

// Somebody changes one key of the Secret by hand in the middle of a rotation, and not the connection string beside it:
// the run stops and says who it was; with consent it puts things right and goes on.
func TestEditInMidRun(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loaded()
	w.rotate(3, "postgres", "--yes", "--until=rollout")
	want := w.login()
	w.edited(credentials, "kubectl-edit", "password", "typed-by-hand")
	r := w.rotate(3, "postgres", "--yes", "--soak=0")
	r.says(t, "somebody else has changed the application's Secret since edition 2 made v2 active", `by "kubectl-edit" at `, "agree with --accept=stale")
	w.rotate(0, "postgres", "--yes", "--soak=0", "--accept=stale")
	if w.login() != want {
		t.Errorf("the Secret holds %s, want %s with its own password", w.login().user, want.user)
	}
	w.standby("backend_v2")
}

// A GitOps controller writes the old value back after it was changed: the run stops, and says which it is and what to do
// about it.
func TestControllerTakesTheValueBack(t *testing.T) {
	long(t)
	w := newWorld(t)
	before := w.secret(credentials)
	w.rotate(3, "postgres", "--yes", "--until=activate")
	now := w.secret(credentials)
	now.Data = before.Data
	_, err := w.kube.CoreV1().Secrets(w.ns).Update(w.ctx, now, metav1.UpdateOptions{FieldManager: "kustomize-controller"})
	w.must("taking the value back", err)
	r := w.rotate(3, "postgres", "--yes", "--soak=0")
	r.says(t, `by "kustomize-controller"`, "Flux Kustomization, and would do so again; take the value out of the repository", "--accept=stale")
	w.rotate(0, "abort", "postgres", "--yes", "--soak=0", "--accept=stale")
	w.standby("backend")
}

// In standby a value that somebody has put into the Secret is a version of its own: it is saved before anything begins,
// and can be gone back to.
func TestEditInStandby(t *testing.T) {
	long(t)
	w := newWorld(t)
	w.rotate(0, "postgres", "--yes", "--soak=0")
	w.superuser(`ALTER ROLE backend_v2 PASSWORD 'typed-by-hand'`)
	s := w.secret(credentials)
	s.Data["password"] = []byte("typed-by-hand")
	s.Data["DATABASE_URL"] = []byte("postgres://backend_v2:typed-by-hand@postgresql:5432/demo-platform")
	_, err := w.kube.CoreV1().Secrets(w.ns).Update(w.ctx, s, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	w.must("editing by hand", err)
	byHand := w.login()
	w.rotate(3, "postgres", "--yes", "--again", "--until=stage")
	if got := w.saved(); !slices.Contains(got, "v3") || !slices.Contains(got, "v4") {
		t.Errorf("saved are %v, want the value by hand as v3 and the next as v4", got)
	}
	w.rotate(3, "postgres", "--yes", "--until=activate")
	w.rotate(0, "abort", "postgres", "--yes", "--soak=0")
	if w.login() != byHand {
		t.Errorf("the Secret holds %s, want the value by hand", w.login().user)
	}
	w.standby("backend_v2")
}

// A controller that takes the label on a template away whenever it appears is not fought for ever: the run ends and
// names who writes the workload; nothing is lost, and without the controller it goes on.
func TestControllerTakesTheLabelAway(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loaded()
	manifest, err := w.kube.AppsV1().Deployments(w.ns).Get(w.ctx, "backend", metav1.GetOptions{})
	w.must("reading the Deployment", err)
	manifest.Annotations["gitops"] = "synced" // what makes it an owner of the object
	_, err = w.kube.AppsV1().Deployments(w.ns).Update(w.ctx, manifest, metav1.UpdateOptions{FieldManager: "argocd-controller"})
	w.must("syncing", err)
	ctx, stop := context.WithCancel(w.ctx)
	ended := make(chan struct{})
	go w.stripping(ctx, ended)
	r := w.rotate(1, "postgres", "--yes", "--soak=0")
	r.says(t, "somebody has taken the label kubectl-rotate/"+credentials+"=2 away from the template of deployment/backend, 3 times",
		`"argocd-controller"`, "have it leave that label alone", "run the same command")
	stop()
	<-ended
	w.rotate(0, "postgres", "--yes", "--soak=0")
	w.standby("backend_v2")
}

// stripping takes the label away whenever it appears, as a controller would that has its own idea of the template.
func (w *world) stripping(ctx context.Context, ended chan<- struct{}) {
	defer close(ended)
	patch, _ := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{
		"labels": map[string]any{"kubectl-rotate/" + credentials: nil},
	}}}})
	strip := func() {
		_, _ = w.kube.AppsV1().Deployments(w.ns).Patch(ctx, "backend", types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "argocd-controller"})
	}
	for ctx.Err() == nil {
		events, err := w.kube.AppsV1().Deployments(w.ns).Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=backend"})
		if err != nil {
			continue
		}
		for e := range events.ResultChan() {
			if d, ok := e.Object.(interface{ GetGeneration() int64 }); ok && e.Type != watch.Deleted && d.GetGeneration() > 0 {
				strip()
			}
		}
	}
}
