package e2e

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The login in a place that a rotation would not change is refused before anything begins, with the lines of
// configuration that settle it: a second Secret, a variable, a ConfigMap. Where looking is not permitted, that is said.
func TestTheLoginElsewhere(t *testing.T) {
	long(t)
	w := newWorld(t)
	now := w.login()
	w.secretOf(w.ns, "reports-db", map[string]string{"PGUSER": now.user, "PGPASSWORD": now.password})
	_, err := w.kube.CoreV1().ConfigMaps(w.ns).Create(w.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "settings"}, Data: map[string]string{"db.properties": "host=postgresql\nusername=backend\n"},
	}, metav1.CreateOptions{})
	w.must("making a ConfigMap", err)
	w.deployment("legacy", credentials, func(d *appsv1.Deployment) {
		c := &d.Spec.Template.Spec.Containers[0]
		c.Env = []corev1.EnvVar{{Name: "OTEL_SERVICE_NAME", Value: "backend"}, {Name: "DSN", Value: "postgres://backend:$(password)@postgresql/demo-platform"}}
		c.EnvFrom = append(c.EnvFrom, corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}})
	})
	before := w.fingerprint()
	ignored := ""
	for _, c := range []struct{ as, says, settles, ignore string }{
		{"admin", "secret " + w.ns + "/reports-db holds the password of backend too (PGPASSWORD)",
			"also: [{name: reports-db, username: PGUSER, password: PGPASSWORD}]", "secret/reports-db"},
		{"restricted", "variable OTEL_SERVICE_NAME of deployment/legacy, container app names the login backend",
			"ignore: [deployment/legacy/OTEL_SERVICE_NAME]", "deployment/legacy/OTEL_SERVICE_NAME"},
		{"restricted", "variable DSN of deployment/legacy, container app names the login backend", "secretKeyRef", "deployment/legacy/DSN"},
		{"restricted", "key db.properties of configmap settings of deployment/legacy, container app names the login backend",
			"ignore: [configmap/settings/db.properties]", "configmap/settings/db.properties"},
	} {
		r := w.as(c.as, "postgres", "--yes", "--config="+w.targets("ignore: ["+ignored+"]"))
		if r.code != 4 {
			t.Errorf("want exit code 4: %s", r)
		}
		r.says(t, c.says, c.settles)
		if c.as == "restricted" {
			r.says(t, "other Secrets with the same login were not looked for: that takes the permission to list secrets in namespace "+w.ns)
		}
		if ignored != "" {
			ignored += ", "
		}
		ignored += c.ignore
	}
	w.unchanged(before)
	w.rotate(0, "postgres", "--yes", "--soak=0", "--config="+w.targets("ignore: ["+ignored+"]"))
	w.standby("backend_v2")
}
