package e2e

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

// A workload that reads the Secret through the API is rolled where the configuration names it. A container beside the server
// that is handed the Secret is asked about by name, and neither it nor the server is restarted.
func TestReadersThatDoNotRollByThemselves(t *testing.T) {
	long(t)
	w := newWorld(t)
	w.deployment("poller", credentials, func(d *appsv1.Deployment) { d.Spec.Template.Spec.Containers[0].EnvFrom = nil })
	server := w.besideServer("exporter")
	before := w.podsOf("poller")[0].Name
	r := w.rotate(3, "postgres", "--yes", "--until=rollout", "--config="+w.targets("consumers: [deployment/poller]"))
	r.says(t, "statefulset/postgresql: its container exporter reads the Secret beside the server, which is not rolled: it keeps the old login until you restart it")
	pods := w.podsOf("poller")
	if len(pods) != 1 || pods[0].Name == before || pods[0].Labels["kubectl-rotate/"+credentials] == "" {
		t.Errorf("the workload that reads through the API was not rolled: %v", pods[0].ObjectMeta)
	}
	w.rotate(0, "postgres", "--yes", "--soak=0", "--config="+w.targets("consumers: [deployment/poller]"))
	w.standby("backend_v2")
	now, err := w.kube.CoreV1().Pods(w.ns).Get(w.ctx, server.Name, metav1.GetOptions{})
	w.must("reading the server's pod", err)
	if now.UID != server.UID {
		t.Error("the server was restarted")
	}

	w.rotate(4, "postgres", "--yes", "--again", "--config="+w.targets("consumers: [deployment/gone]")).says(t, "deployment/gone")
}

// besideServer has a container beside the server that is handed the Secret, and waits until both serve.
func (w *world) besideServer(name string) corev1.Pod {
	w.Helper()
	sets := w.kube.AppsV1().StatefulSets(w.ns)
	set, err := sets.Get(w.ctx, "postgresql", metav1.GetOptions{})
	w.must("reading the server's StatefulSet", err)
	spec := &set.Spec.Template.Spec
	spec.Containers = append(spec.Containers, corev1.Container{
		Name: name, Image: deploy.BaseImage, ImagePullPolicy: corev1.PullNever, Command: []string{"sleep", "3600"},
		EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: credentials}}}},
	})
	_, err = sets.Update(w.ctx, set, metav1.UpdateOptions{})
	w.must("adding a container", err)
	var server corev1.Pod
	w.until("the server serves with it", func() bool {
		pods := w.podsOf("postgresql")
		if len(pods) == 1 {
			server = pods[0]
		}
		return len(pods) == 1 && len(server.Spec.Containers) == 2 && ready(server)
	})
	w.until("the backend serves again", func() bool {
		for _, p := range w.pods() {
			if !ready(p) {
				return false
			}
		}
		return true
	})
	return server
}

// What a session that did RESET ROLE has made keeps its login from being retired: that is refused with what can be agreed to,
// the old login stays refused and on record, and with the consent the same run ends, the table in its owner's hands.
func TestWhatALoginCameToOwn(t *testing.T) {
	long(t)
	w := newWorld(t)
	w.rotate(0, "postgres", "--yes", "--soak=0")
	old := w.login()
	conn, err := w.connect(old, "demo-platform")
	w.must("connecting", err)
	for _, statement := range []string{"SET ROLE NONE", "CREATE TABLE astray (n int)"} {
		_, err := conn.Exec(w.ctx, statement)
		w.must(statement, err)
	}
	w.must("closing", conn.Close(w.ctx))
	owner := func() (name string) {
		t.Helper()
		admin := w.admin("demo-platform")
		defer admin.Close(w.ctx)
		w.must("asking for the owner", admin.QueryRow(w.ctx, "SELECT tableowner::text FROM pg_tables WHERE tablename = 'astray'").Scan(&name))
		return name
	}
	r := w.rotate(1, "postgres", "--yes", "--again", "--soak=0")
	r.says(t, "backend_v2 can be retired only after a change by hand: things depend on it: owner of 1 in pg_class",
		"retire: erasing backend_v2: things depend on it: owner of 1 in pg_class", "--accept=reassign")
	if w.accepted(old) || owner() != "backend_v2" || strings.Join(w.saved(), " ") != "v2 v3" {
		t.Errorf("the old login gets in (%v), the table is %s's, on record are %v", w.accepted(old), owner(), w.saved())
	}
	w.rotate(0, "postgres", "--yes", "--accept=reassign", "--soak=0")
	if owner() != "backend" {
		t.Errorf("the table is %s's", owner())
	}
	w.standby("backend_v3")
}
