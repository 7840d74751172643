package e2e

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// In the middle of a rotation, tables made by a pod on the old login and by one on the new login can be used and altered by
// both; they still can when the old login is gone.
func TestTablesOfBothGenerations(t *testing.T) {
	alone(t)
	w := newWorld(t)
	w.loaded()
	w.rotate(3, "postgres", "--yes", "--until=activate")
	old := w.pods()[0]
	fresh := w.replaced(w.pods()[1])
	w.table("migrate", old, "made_by_old", "backend")
	w.table("migrate", fresh, "made_by_new", "backend_v2")
	w.table("migrate", fresh, "made_by_old", "backend_v2")
	w.table("migrate", old, "made_by_new", "backend")
	w.rotate(0, "postgres", "--yes", "--soak=1s")
	for _, p := range w.pods() {
		w.table("table", p, "made_by_old", "backend_v2")
		w.table("table", p, "made_by_new", "backend_v2")
	}
}

// replaced deletes a pod and gives the ready one that its controller made instead.
func (w *world) replaced(p corev1.Pod) (fresh corev1.Pod) {
	w.Helper()
	known := map[string]bool{}
	for _, q := range w.pods() {
		known[q.Name] = true
	}
	w.must("deleting a pod", w.kube.CoreV1().Pods(w.ns).Delete(w.ctx, p.Name, metav1.DeleteOptions{}))
	w.until("another pod is ready", func() bool {
		for _, q := range w.pods() {
			if !known[q.Name] && ready(q) {
				fresh = q
				return true
			}
		}
		return false
	})
	return fresh
}

func ready(p corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// table has a pod use a table, and wants it to have done so as login, with the owner's rights.
func (w *world) table(what string, p corev1.Pod, table, login string) {
	w.Helper()
	client := http.Client{Timeout: 10 * time.Second}
	r, err := client.Post("http://"+p.Status.PodIP+":8080/"+what+"?table="+table, "", nil)
	w.must("asking pod "+p.Name, err)
	defer r.Body.Close()
	var answer struct{ Login, Role, Error string }
	w.must("reading its answer", json.NewDecoder(r.Body).Decode(&answer))
	if r.StatusCode != http.StatusOK || answer.Login != login || answer.Role != "backend" {
		w.Errorf("%s %s on pod %s: %s, as %s acting as %s (%s); want %s acting as backend", what, table, p.Name, r.Status, answer.Login, answer.Role, answer.Error, login)
	}
}
