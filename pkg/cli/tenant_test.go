package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
)

// tenantsCluster has a tenant in team-a, whose ConfigMap this is, and others' Secrets in payments and in team-a itself.
func tenantsCluster(t *testing.T, text string) *cluster {
	t.Helper()
	written := metav1.NewTime(time.Date(2026, 5, 1, 12, 30, 0, 0, time.UTC))
	keys := map[string][]byte{"active-key": []byte("jwt-secret-v1"), "jwt-secret-v1": []byte(strings.Repeat("k3y/", 16))}
	secret := func(namespace, name string, data map[string][]byte) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Data: data}
	}
	app := appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: "backend"},
		Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "backend"}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "backend"}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", EnvFrom: []corev1.EnvFromSource{
					{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "jwt-keys"}}}}}}},
			},
		},
	}
	objects := []runtime.Object{
		secret("team-a", "jwt-keys", keys), secret("payments", "jwt-keys", keys), &app,
		secret("payments", "stripe", map[string][]byte{"api-key": []byte("sk_live_of_another")}),
		secret("team-a", "stripe", map[string][]byte{"api-key": []byte("sk_live_of_the_same"), "url": []byte("http://x")}),
	}
	if text != "" {
		objects = append(objects, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "team-a", Name: config.ConfigMapName, ManagedFields: []metav1.ManagedFieldsEntry{
				{Manager: "kubectl-create", Time: &metav1.Time{Time: written.Add(-time.Hour)}}, {Manager: "kubectl-edit", Time: &written},
			}},
			Data: map[string]string{config.ConfigMapKey: "apiVersion: kubectl-rotate/v1alpha1\n" + text},
		})
	}
	return newCluster(t, objects...)
}

// A tenant's ConfigMap sends no Secret anywhere, whatever is asked for: it is refused, and each field of it that reaches beyond the
// namespace is named.
func TestATenantsConfigMapSendsNothing(t *testing.T) {
	for _, args := range []string{
		"jwt --dry-run", "jwt --yes", "jwt --yes --compromised", "emergency-jwt --yes", "abort jwt --yes", "status", "status jwt", "status -A", "status -o json", "history",
		"history jwt", "config view", "config validate", "jwt --dry-run -o json",
	} {
		t.Run(args, func(t *testing.T) {
			evil := newStranger(t)
			c := tenantsCluster(t, fmt.Sprintf(`targets:
- name: jwt
  kind: jwt
  namespace: payments
  gates:
    urls: [{url: "http://%[1]s/"}]
    prometheus:
    - {query: up, min: 0, url: "http://%[1]s", token: {name: stripe, key: api-key}}
  refused: {query: "x[{since}]", url: "http://%[1]s", token: {name: stripe, key: api-key}}
  notify:
  - {form: pagerduty, url: "http://%[1]s", secret: {name: stripe, key: api-key}}
  grafana: {url: "http://%[1]s", token: {name: stripe, key: api-key}}
`, evil.Addr()))
			code, out, said := c.run(t, "team-a", nil, strings.Fields(args)...)
			if heard := evil.all(); len(heard) > 0 {
				t.Errorf("the tenant heard %q", heard)
			}
			if code != exitUsage || out != "" {
				t.Errorf("exit code %d, output %q", code, out)
			}
			for _, want := range []string{
				"targets[0].namespace: ", "targets[0].gates.urls: ", "targets[0].gates.prometheus[0].url: ", "targets[0].gates.prometheus[0].token: ",
				"targets[0].refused.url: ", "targets[0].refused.token: ", "targets[0].notify: ", "targets[0].grafana: ", "--config=configmap/kubectl-rotate",
			} {
				if !strings.Contains(said, want) {
					t.Errorf("%q is not in:\n%s", want, said)
				}
			}
			if touched := append(c.asked("/payments/"), c.asked("/secrets/")...); len(touched) > 0 {
				t.Errorf("it asked for %v", touched)
			}
			if w := c.written(); len(w) > 0 {
				t.Errorf("it wrote %v", w)
			}
		})
	}
}

// A shell completes no names out of such a ConfigMap, and asks it for nothing else.
func TestATenantsConfigMapCompletesNothing(t *testing.T) {
	c := tenantsCluster(t, "targets:\n- {name: lure, kind: jwt, namespace: payments}\n")
	if _, out, _ := c.run(t, "team-a", nil, "__complete", "jwt", ""); strings.Contains(out, "lure") {
		t.Errorf("it completes %q", out)
	}
	c = tenantsCluster(t, "targets:\n- {name: keys, kind: jwt}\n")
	if code, _, said := c.run(t, "team-a", nil, "__complete", "jwt", ""); code != exitDone {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// Who has written a configuration is said wherever it is used: by each run, plan and status, and with each question.
func TestTheSourceOfTheConfigurationIsSaid(t *testing.T) {
	const tenants = "targets:\n- {name: jwt, kind: jwt, namespace: team-a, owner: team-a}\n"
	const told = "configuration: configmap/kubectl-rotate in team-a, last written at 2026-05-01 12:30 UTC by field manager kubectl-edit"
	for _, args := range []string{"jwt --dry-run", "jwt --dry-run -o json", "jwt --yes", "status", "status jwt", "config view"} {
		c := tenantsCluster(t, tenants)
		code, _, said := c.run(t, "team-a", nil, strings.Fields(args)...)
		if !strings.Contains(said, told) || (code != exitDone) != strings.Contains(args, "--yes") { // a run that may write nothing fails
			t.Errorf("%s: exit code %d, said\n%s", args, code, said)
		}
		c = tenantsCluster(t, "")
		if _, _, said = c.run(t, "team-a", nil, strings.Fields(args)...); !strings.Contains(said, "configuration: built-in defaults") {
			t.Errorf("%s, without a file: said\n%s", args, said)
		}
		c = tenantsCluster(t, "")
		_, _, said = c.run(t, "team-a", map[string]string{config.FileName: "apiVersion: kubectl-rotate/v1alpha1\n" + tenants}, strings.Fields(args)...)
		if !strings.Contains(said, "configuration: ") || !strings.Contains(said, "/"+config.FileName+", owned by ") || !strings.Contains(said, ", last written at 20") {
			t.Errorf("%s, with a file: said\n%s", args, said)
		}
	}
}

// A dry run and status send credentials to nobody but the server: no token, no webhook, whoever's will they are.
func TestADryRunSendsNoCredentialElsewhere(t *testing.T) {
	file := `apiVersion: kubectl-rotate/v1alpha1
targets:
- name: jwt
  kind: jwt
  namespace: team-a
  gates:
    prometheus:
    - {query: up, min: 0, url: "http://%[1]s", token: {name: stripe, key: api-key}}
  refused: {query: "x[{since}]", url: "http://%[1]s", token: {name: stripe, key: api-key}}
  notify:
  - {form: pagerduty, url: "http://%[1]s", secret: {name: stripe, key: api-key}}
  - {form: json, secret: {name: stripe, key: url}}
  grafana: {url: "http://%[1]s", token: {name: stripe, key: api-key}}
`
	for _, args := range []string{"jwt --dry-run", "jwt --dry-run --compromised", "jwt --dry-run --accept=unproven --yes", "status jwt", "status", "history", "config view", "config validate"} {
		for _, how := range []string{"a file", "a named ConfigMap"} {
			t.Run(args+", by "+how, func(t *testing.T) {
				other := newStranger(t)
				text := fmt.Sprintf(file, other.Addr())
				c, files, line := tenantsCluster(t, ""), map[string]string{config.FileName: text}, strings.Fields(args)
				if how != "a file" {
					c, files = tenantsCluster(t, strings.TrimPrefix(text, "apiVersion: kubectl-rotate/v1alpha1\n")), nil
					line = append(line, "--config=configmap/kubectl-rotate")
				}
				code, _, said := c.run(t, "team-a", files, line...)
				if heard := other.all(); len(heard) > 0 {
					t.Errorf("another address heard %q", heard)
				}
				if code != exitDone || len(c.written()) > 0 {
					t.Errorf("exit code %d, wrote %v: %s", code, c.written(), said)
				}
				if looks := strings.HasPrefix(args, "jwt --dry-run") || args == "status jwt"; looks && !strings.Contains(said, "gate prometheus is not looked at: a dry run and status send no token") {
					t.Errorf("what was left out is not said:\n%s", said)
				}
			})
		}
	}
}
