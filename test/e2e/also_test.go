package e2e

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// targets writes a targets file whose one target has these fields more, and gives its name.
func (w *world) targets(fields string) string {
	w.Helper()
	file := filepath.Join(w.TempDir(), "targets.yaml")
	text := "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- name: postgres\n  kind: postgres\n"
	for line := range strings.Lines(fields) {
		text += "  " + line
	}
	w.must("writing the configuration", os.WriteFile(file, []byte(text+"\n"), 0o600))
	return file
}

// secretOf makes a Secret in a namespace.
func (w *world) secretOf(namespace, name string, data map[string]string) {
	w.Helper()
	_, err := w.kube.CoreV1().Secrets(namespace).Create(w.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data,
	}, metav1.CreateOptions{FieldManager: "kubectl-create"})
	w.must("making secret "+name, err)
}

// edited changes one key of a Secret, as somebody would.
func (w *world) edited(name, manager, key, value string) {
	w.Helper()
	s := w.secret(name)
	s.Data[key] = []byte(value)
	_, err := w.kube.CoreV1().Secrets(w.ns).Update(w.ctx, s, metav1.UpdateOptions{FieldManager: manager})
	w.must("editing secret "+name, err)
}

// Another Secret of the same login, in keys of its own: both switch, who reads the other one rolls too, an edit there is
// seen and named, and an abort puts both back.
func TestAlso(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loaded()
	old := w.login()
	w.secretOf(w.ns, "reports-db", map[string]string{"PGUSER": old.user, "PGPASSWORD": old.password, "URL": "postgres://" + old.user + ":" + old.password + "@postgresql/demo-platform"})
	w.deployment("reports", "reports-db")
	config := "--config=" + w.targets("also:\n- {name: reports-db, username: PGUSER, password: PGPASSWORD}")
	r := w.rotate(4, "postgres", "--yes", config)
	r.says(t, `get secrets "reports-db"`, `patch secrets "reports-db"`, w.ns)
	w.grantWith(config)
	holds := func(l login) {
		t.Helper()
		s := w.secret("reports-db").Data
		if got := (login{string(s["PGUSER"]), string(s["PGPASSWORD"])}); got != l || string(s["URL"]) != "postgres://"+l.user+":"+l.password+"@postgresql/demo-platform" {
			t.Errorf("reports-db holds %s, want %s, in all of its keys", got.user, l.user)
		}
	}
	w.rotate(3, "postgres", "--yes", config, "--until=activate")
	holds(w.login())
	w.edited("reports-db", "argocd-controller", "PGPASSWORD", "by hand")
	r = w.rotate(3, "postgres", "--yes", "--soak=0", config)
	r.says(t, "somebody else has changed", "secret "+w.ns+"/reports-db", `by "argocd-controller"`, "Argo CD", "--accept=stale")
	w.rotate(3, "postgres", "--yes", config, "--until=rollout", "--accept=stale")
	holds(w.login())
	before := w.podsOf("reports")[0].Name
	w.rotate(0, "abort", "postgres", "--yes", config, "--soak=0")
	holds(old)
	w.standby("backend")
	w.rotate(0, "postgres", "--yes", config, "--soak=0")
	holds(w.login())
	w.standby("backend_v3")
	if pods := w.podsOf("reports"); len(pods) != 1 || pods[0].Name == before || pods[0].Labels["kubectl-rotate/"+credentials] == "" {
		t.Errorf("the readers of the other Secret were not rolled: %+v", pods[0].ObjectMeta)
	}
}

// A Secret of the same login in another namespace, with a workload there.
func TestAlsoInAnotherNamespace(t *testing.T) {
	long(t)
	w := newWorld(t)
	there := *w
	there.ns = w.ns + "-b"
	_, err := w.kube.CoreV1().Namespaces().Create(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: there.ns}}, metav1.CreateOptions{})
	w.must("making a namespace", err)
	t.Cleanup(func() {
		_ = w.kube.CoreV1().Namespaces().Delete(context.WithoutCancel(w.ctx), there.ns, metav1.DeleteOptions{})
	})
	old := w.login()
	w.secretOf(there.ns, credentials, map[string]string{"username": old.user, "password": old.password})
	there.deployment("reports", credentials)
	before := there.podsOf("reports")[0].Name
	config := "--config=" + w.targets("also:\n- {name: "+credentials+", namespace: "+there.ns+"}")
	w.rotate(4, "postgres", "--yes", config).says(t, "in namespace "+there.ns)
	w.grantWith(config)
	w.rotate(0, "postgres", "--yes", config, "--soak=0")
	w.standby("backend_v2")
	if got := there.login(); got != w.login() {
		t.Errorf("the Secret there holds %s, want %s", got.user, w.login().user)
	}
	if pods := there.podsOf("reports"); len(pods) != 1 || pods[0].Name == before {
		t.Error("the workload there was not rolled")
	}
}

// A Secret that is configured to hold the same login and holds another is refused before anything begins.
func TestAlsoOfAnotherLogin(t *testing.T) {
	long(t)
	w := newWorld(t)
	w.secretOf(w.ns, "reports-db", map[string]string{"username": "reports", "password": "s3cret-of-reports"})
	config := "--config=" + w.targets("also:\n- {name: reports-db}\n- {name: gone}")
	w.grantWith(config)
	before := w.fingerprint()
	w.rotate(4, "postgres", "--yes", config).says(t, "secret "+w.ns+"/gone", "does not exist", "also")
	config = "--config=" + w.targets("also:\n- {name: reports-db}")
	w.rotate(4, "postgres", "--yes", config).says(t, "reports-db holds the login reports, and not backend", "make them agree")
	w.unchanged(before)
}

// grantWith lets the restricted user do what rotating takes with a configuration, in each namespace of it.
func (w *world) grantWith(args ...string) {
	w.Helper()
	printed := w.as("admin", append([]string{"rbac", "--names=false"}, args...)...)
	if printed.code != 0 {
		w.Fatalf("rbac: %s", printed)
	}
	for text := range strings.SplitSeq(printed.stdout, "---\n") {
		var role rbacv1.Role
		w.must("reading the Role", yaml.UnmarshalStrict([]byte(text), &role))
		role.Name = "kubectl-rotate-more"
		rules, heeded := w.marked(role.Namespace, role.Rules)
		role.Rules = rules
		_, err := w.kube.RbacV1().Roles(role.Namespace).Create(w.ctx, &role, metav1.CreateOptions{})
		if err != nil {
			patch, _ := yaml.Marshal(map[string]any{"rules": role.Rules})
			patch, _ = yaml.YAMLToJSON(patch)
			_, err = w.kube.RbacV1().Roles(role.Namespace).Patch(w.ctx, role.Name, types.MergePatchType, patch, metav1.PatchOptions{})
			w.must("changing the Role", err)
			heeded()
			continue
		}
		_, err = w.kube.RbacV1().RoleBindings(role.Namespace).Create(w.ctx, &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role.Name},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "restricted"}},
		}, metav1.CreateOptions{})
		w.must("binding the Role", err)
		heeded()
	}
}
