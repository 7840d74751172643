package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// What a first user gets wrong: the error names the thing and the next move, and nothing changes.
func TestFirstMistakes(t *testing.T) {
	w := newWorld(t)
	before := w.fingerprint()
	for _, c := range []struct {
		name   string
		config string // the target's lines in a configuration file
		args   []string
		code   int
		says   []string
	}{
		{"no such pod", "postgres: {pod: pg-0}", nil, 1, []string{"there is no pod " + w.ns + "/pg-0", "postgres.pod"}},
		{"no such secret", "secret: {name: postgres-credentials}", []string{"--context=admin"}, 4, []string{"postgres-credentials", "postgresql-credentials"}},
		{"no such key", "secret: {name: postgresql-credentials, password: pass}", nil, 4, []string{"pass", "DATABASE_URL, password, username"}},
		{"no such database", "postgres: {database: shop}", nil, 1, []string{"shop", "demo-platform"}},
		{"no such administrator", "postgres: {admin: {user: nobody, secret: {name: postgresql-admin, key: postgres-password}}}", nil, 1, []string{"nobody"}},
		{"no such key of the administrator", "postgres: {admin: {secret: {name: postgresql-admin, key: pw}}}", nil, 1, []string{"postgresql-admin", "pw"}},
		{"nothing listens there", "postgres: {port: 5433}", nil, 1, []string{"5433"}},
		{"an unknown field", "secrte: {}", nil, 2, []string{"secrte", ":4"}},
		{"a wrong namespace", "", []string{"-n", "nowhere"}, 4, []string{"nowhere"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := *w
			w.T = t
			args := append([]string{"postgres", "--yes", "--wait=false"}, c.args...)
			if c.config != "" {
				file := filepath.Join(t.TempDir(), "targets.yaml")
				text := "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- {name: postgres, kind: postgres}\n"
				text = strings.Replace(text, "{name: postgres, kind: postgres}", "name: postgres\n  "+c.config+"\n  kind: postgres", 1)
				w.must("writing the configuration", os.WriteFile(file, []byte(text), 0o600))
				args = append(args, "--config", file)
			}
			r := w.as("restricted", args...)
			if r.code != c.code {
				t.Errorf("want exit code %d: %s", c.code, r)
			}
			for _, want := range c.says {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("no word of %q: %s", want, r)
				}
			}
		})
	}
	w.unchanged(before)
}

// A missing permission is named, with verb, resource and namespace, before anything changes; any of them.
func TestMissingPermissions(t *testing.T) {
	w := newWorld(t)
	before := w.fingerprint()
	role := &w.rolesByName("postgres")[0] // nothing in it is for workloads that there are not
	for i, rule := range role.Rules {
		if slices.Contains([]string{"pods/log", "services", "configmaps", "horizontalpodautoscalers", "events"}, rule.Resources[0]) {
			continue // it tells less without, and does the same
		}
		less := role.DeepCopy()
		less.Rules = append(less.Rules[:i:i], less.Rules[i+1:]...)
		w.permit(less)
		r := w.as("restricted", "postgres", "--yes")
		for _, verb := range rule.Verbs {
			if !strings.Contains(r.stderr, verb) {
				t.Errorf("without %v: no word of the verb %s: %s", rule, verb, r)
			}
		}
		if r.code != 4 || !strings.Contains(r.stderr, w.ns) || !strings.Contains(r.stderr, "kubectl rotate rbac") {
			t.Errorf("without %v: %s", rule, r)
		}
		w.permit(role)
	}
	w.unchanged(before)
}

// A Secret that cannot be changed is refused before anything else is.
func TestImmutableSecret(t *testing.T) {
	w := newWorld(t)
	_, err := w.kube.CoreV1().Secrets(w.ns).Patch(w.ctx, "postgresql-credentials", types.MergePatchType, []byte(`{"immutable":true}`), metav1.PatchOptions{})
	w.must("making it immutable", err)
	before := w.fingerprint()
	r := w.rotate(4, "postgres", "--yes")
	if !strings.Contains(r.stderr, "immutable") {
		t.Errorf("not named: %s", r)
	}
	w.unchanged(before)
}
