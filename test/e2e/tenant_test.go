package e2e

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// tenant may write ConfigMaps in the world's namespace, and nothing else anywhere.
func (w *world) tenant() kubernetes.Interface {
	w.Helper()
	_, err := w.kube.RbacV1().Roles(w.ns).Create(w.ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: "tenant"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"create", "get", "update"}}},
	}, metav1.CreateOptions{})
	w.must("creating the tenant's Role", err)
	_, err = w.kube.RbacV1().RoleBindings(w.ns).Create(w.ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "tenant"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: "tenant"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "tenant-of-" + w.ns}},
	}, metav1.CreateOptions{})
	w.must("binding the tenant's Role", err)
	as := rest.CopyConfig(w.config)
	as.Impersonate.UserName = "tenant-of-" + w.ns
	return kubernetes.NewForConfigOrDie(as)
}

// makeNamespace makes a namespace with Secrets until the test ends.
func (w *world) makeNamespace(name string, secrets map[string]map[string]string) {
	w.Helper()
	_, err := w.kube.CoreV1().Namespaces().Create(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	w.must("making a namespace", err)
	w.Cleanup(func() {
		_ = w.kube.CoreV1().Namespaces().Delete(context.WithoutCancel(w.ctx), name, metav1.DeleteOptions{})
	})
	for secret, data := range secrets {
		_, err := w.kube.CoreV1().Secrets(name).Create(w.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: secret}, StringData: data}, metav1.CreateOptions{})
		w.must("making a Secret", err)
	}
}

// A tenant who may write a ConfigMap in a namespace of its own, and nothing else, gets no Secret of another namespace out of the
// administrator who rotates in the tenant's.
func TestATenantsConfigMapSendsNoSecret(t *testing.T) {
	w := newCluster(t)
	keys := map[string]string{"active-key": "jwt-secret-v1", "jwt-secret-v1": strings.Repeat("k3y/", 16)}
	payments := namespace("payments")
	w.makeNamespace(w.ns, map[string]map[string]string{"jwt-keys": keys})
	w.makeNamespace(payments, map[string]map[string]string{"jwt-keys": keys, "stripe": {"api-key": "sk_live_of_another"}})

	var heard atomic.Int64
	evil := httptest.NewUnstartedServer(http.NotFoundHandler())
	evil.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			heard.Add(1)
		}
	}
	evil.Start()
	t.Cleanup(evil.Close)

	tenant := w.tenant()
	text := fmt.Sprintf(`apiVersion: kubectl-rotate/v1alpha1
targets:
- name: jwt
  kind: jwt
  namespace: %s
  gates:
    prometheus: [{query: up, min: 0, url: %q, token: {name: stripe, key: api-key}}]
  notify: [{form: pagerduty, url: %[2]q, secret: {name: stripe, key: api-key}}]
`, payments, evil.URL)
	made := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "kubectl-rotate"}, Data: map[string]string{"config.yaml": text}}
	w.until("the tenant may write", func() bool { // the API server goes by a Role a little later
		_, err := tenant.CoreV1().ConfigMaps(w.ns).Create(w.ctx, made, metav1.CreateOptions{FieldManager: "tenants-tool"})
		return err == nil
	})
	if _, err := tenant.CoreV1().Secrets(payments).Get(w.ctx, "stripe", metav1.GetOptions{}); err == nil {
		t.Fatal("the tenant may read the other's Secret anyway")
	}

	for _, args := range [][]string{{"jwt", "--dry-run"}, {"jwt", "--yes"}, {"status"}, {"status", "jwt"}, {"abort", "jwt", "--yes"}, {"history"}} {
		r := w.as("admin", args...)
		if r.code != 2 || !strings.Contains(r.stderr, "targets[0].namespace: ") || !strings.Contains(r.stderr, "targets[0].gates.prometheus[0].token: ") ||
			!strings.Contains(r.stderr, "targets[0].notify: ") {
			t.Errorf("the ConfigMap is not refused by its fields: %s", r)
		}
	}
	// Once it is the administrator's will it is obeyed, and says whose words it has; a dry run still sends nothing.
	r := w.as("admin", "jwt", "--dry-run", "--config=configmap/kubectl-rotate")
	if r.code != 0 || !strings.Contains(r.stderr, "configuration: configmap/kubectl-rotate in "+w.ns+", last written at ") ||
		!strings.Contains(r.stderr, "by field manager tenants-tool") {
		t.Errorf("the named ConfigMap: %s", r)
	}
	if n := heard.Load(); n > 0 {
		t.Errorf("the tenant's address was connected to %d times", n)
	}

	// What is about the tenant's own namespace is obeyed, without a word from the administrator.
	made.Data["config.yaml"] = fmt.Sprintf("apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- {name: jwt, kind: jwt, namespace: %s, owner: tenants}\n", w.ns)
	_, err := tenant.CoreV1().ConfigMaps(w.ns).Update(w.ctx, made, metav1.UpdateOptions{FieldManager: "tenants-tool"})
	w.must("writing the ConfigMap", err)
	if r := w.as("admin", "jwt", "--dry-run"); r.code != 0 || !strings.Contains(r.stderr, "configuration: configmap/kubectl-rotate in "+w.ns) {
		t.Errorf("the tenant's own namespace: %s", r)
	}
}
