package e2e

import (
	"os"
	"path/filepath"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A server in a Deployment reads the Secret of the login too, as charts have it for a server's first start. It is not rolled as a
// consumer: a second server would start on the same files.
func TestServerInADeployment(t *testing.T) {
	alone(t)
	w := newWorld(t)
	before := w.deployServer()
	w.loadedWith(20)
	path := filepath.Join(t.TempDir(), "targets.yaml")
	text := "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- name: postgres\n  kind: postgres\n  postgres: {service: postgresql}\n"
	w.must("writing the configuration", os.WriteFile(path, []byte(text), 0o600))
	r := w.as("admin", "postgres", "--yes", "--soak=1s", "--config", path)
	if r.code != 0 {
		t.Fatalf("a server in a Deployment: %s", r)
	}
	w.standby("backend_v2")
	after := w.serverPod()
	if after == nil || after.UID != before.UID {
		t.Errorf("the server's pod %s was replaced: %s", before.Name, r)
	}
	d, err := w.kube.AppsV1().Deployments(w.ns).Get(w.ctx, "database", metav1.GetOptions{})
	w.must("reading the server's Deployment", err)
	if d.Generation != 1 {
		t.Errorf("the server's Deployment was changed: its generation is %d", d.Generation)
	}
}

// deployServer puts the server into a Deployment, with its files, and gives its pod.
func (w *world) deployServer() *corev1.Pod {
	w.Helper()
	sets := w.kube.AppsV1().StatefulSets(w.ns)
	set, err := sets.Get(w.ctx, "postgresql", metav1.GetOptions{})
	w.must("reading the StatefulSet", err)
	_, err = sets.Patch(w.ctx, "postgresql", types.MergePatchType, []byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{})
	w.must("ending its server", err)
	w.until("the server has ended", func() bool {
		_, err := w.kube.CoreV1().Pods(w.ns).Get(w.ctx, "postgresql-0", metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	template := *set.Spec.Template.DeepCopy()
	template.Labels["in"] = "deployment"
	template.Spec.Volumes = append(template.Spec.Volumes, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-postgresql-0"},
	}})
	c := &template.Spec.Containers[0]
	c.Env = append(c.Env, corev1.EnvVar{Name: "APP_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: credentials}, Key: "password",
	}}})
	d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "database"}, Spec: appsv1.DeploymentSpec{
		Selector: &metav1.LabelSelector{MatchLabels: template.Labels}, Template: template,
	}}
	_, err = w.kube.AppsV1().Deployments(w.ns).Create(w.ctx, d, metav1.CreateOptions{})
	w.must("making the Deployment", err)
	w.servesAgain()
	return w.serverPod()
}

// serverPod is the ready pod of the server in its Deployment; nil where there is none.
func (w *world) serverPod() *corev1.Pod {
	w.Helper()
	list, err := w.kube.CoreV1().Pods(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: "in=deployment"})
	w.must("listing the server's pods", err)
	for _, p := range list.Items {
		if ready(p) {
			return &p
		}
	}
	return nil
}
