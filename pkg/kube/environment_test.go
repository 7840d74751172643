package kube

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kuberuntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"sigs.k8s.io/yaml"
)

// database is a pod with a bit of everything; the comments of its tests say what the kubelet makes of it.
const database = `
metadata: {namespace: default, name: db-0}
spec:
  containers:
  - name: db
    envFrom:
    - configMapRef: {name: settings}
    - secretRef: {name: extra}
      prefix: EXTRA_
    - secretRef: {name: absent, optional: true}
    - configMapRef: {name: overrides}
    env:
    - {name: HOST, value: db.local}
    - {name: PLAIN, value: first}
    - {name: URL, value: "postgres://$(HOST):$(PORT)/$(PLAIN)?p=$(PASSWORD)"}
    - {name: PLAIN, value: second}
    - {name: ESCAPED, value: "$$(HOST) $(NOBODY) $(HOST $ cost$"}
    - {name: LATER, value: "$(AFTER)"}
    - {name: AFTER, value: x}
    - {name: SELF, value: a}
    - {name: SELF, value: "$(SELF)b"}
    - name: PASSWORD
      valueFrom: {secretKeyRef: {name: admin, key: password}}
    - {name: DSN, value: "user:$(PASSWORD)@$(HOST)"}
    - name: PORT
      valueFrom: {configMapKeyRef: {name: settings, key: PORT}}
    - {name: MAYBE, value: before}
    - name: MAYBE
      valueFrom: {secretKeyRef: {name: admin, key: nothing, optional: true}}
    - name: NODE
      valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
    - name: CPU
      valueFrom: {resourceFieldRef: {resource: limits.cpu}}
    - name: GONE
      valueFrom: {secretKeyRef: {name: absent, key: password}}
    - name: NOKEY
      valueFrom: {secretKeyRef: {name: admin, key: nothing}}
    - {name: EMPTY, value: ""}
    - {name: ROOT_FILE, value: /run/secrets/root/pw}
    - {name: PROJECTED_FILE, value: /projected/deep/pw}
    - {name: COVERED_FILE, value: /projected/password}
    - {name: SUBPATH_FILE, value: /etc/pw}
    - {name: SETTING_FILE, value: /settings/PORT}
    - {name: BINARY_FILE, value: /settings/blob}
    - {name: HIDDEN_FILE, value: /run/secrets/root/other}
    - {name: CACHE_FILE, value: /cache/pw}
    - {name: IMAGE_FILE, value: /usr/share/pw}
    - {name: RELATIVE_FILE, value: pw}
    volumeMounts:
    - {name: cache, mountPath: /run}
    - {name: root, mountPath: /run/secrets/root/}
    - {name: projected, mountPath: /projected}
    - {name: root, mountPath: /etc/pw, subPath: pw}
    - {name: settings, mountPath: /settings}
    - {name: cache, mountPath: /cache}
  - name: exporter
  nodeName: node-1
  volumes:
  - name: root
    secret:
      secretName: admin
      items: [{key: password, path: pw}]
  - name: projected
    projected:
      sources:
      - secret: {name: admin}
      - secret:
          name: extra
          items: [{key: KEY, path: deep/pw}, {key: KEY, path: password}]
      - serviceAccountToken: {path: token}
  - name: settings
    configMap: {name: settings}
  - name: cache
    emptyDir: {}
`

func databaseObjects(t *testing.T) []kuberuntime.Object {
	t.Helper()
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict([]byte(database), &pod); err != nil {
		t.Fatal(err)
	}
	meta := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Namespace: "default", Name: name} }
	return []kuberuntime.Object{
		&pod,
		&corev1.Secret{ObjectMeta: meta("admin"), Data: map[string][]byte{"password": []byte("s3cret\n\n")}},
		&corev1.Secret{ObjectMeta: meta("extra"), Data: map[string][]byte{"KEY": []byte("k")}},
		&corev1.ConfigMap{ObjectMeta: meta("settings"), Data: map[string]string{"PORT": "5432", "SHARED": "1", "HOST": "no"},
			BinaryData: map[string][]byte{"blob": {0, 1}}},
		&corev1.ConfigMap{ObjectMeta: meta("overrides"), Data: map[string]string{"SHARED": "2"}},
	}
}

func databaseEnv(t *testing.T) (*Environment, *fake.Clientset) {
	t.Helper()
	client := fake.NewClientset(databaseObjects(t)...)
	e, err := ContainerEnv(t.Context(), client.CoreV1(), "default", "db-0", "db")
	if err != nil {
		t.Fatal(err)
	}
	client.ClearActions()
	return e, client
}

func TestEnvironmentLookup(t *testing.T) {
	e, _ := databaseEnv(t)
	for _, c := range []struct{ name, value, source string }{
		{"HOST", "db.local", "the value of HOST in pod default/db-0"}, // env beats envFrom
		{"PLAIN", "second", "the value of PLAIN in pod default/db-0"}, // the later entry
		// PORT is known from envFrom by then; PLAIN is the first one, PASSWORD not yet known
		{"URL", "postgres://db.local:5432/first?p=$(PASSWORD)", ""},
		{"ESCAPED", "$(HOST) $(NOBODY) $(HOST $ cost$", ""},
		{"LATER", "$(AFTER)", ""},
		{"SELF", "ab", ""},
		{"PASSWORD", "s3cret\n\n", `secret default/admin key "password"`},
		{"DSN", "user:s3cret\n\n@db.local", `the value of DSN in pod default/db-0, made with secret default/admin key "password" and the value of HOST in pod default/db-0`},
		{"PORT", "5432", `configmap default/settings key "PORT"`},
		{"MAYBE", "before", ""},
		{"NODE", "node-1", "field spec.nodeName of the pod"},
		{"EMPTY", "", ""},
		{"EXTRA_KEY", "k", `secret default/extra key "KEY"`},
		{"SHARED", "2", `configmap default/overrides key "SHARED"`}, // the later source
		{"ROOT", "s3cret", `file /run/secrets/root/pw of secret default/admin key "password"`},
		{"ROOT_FILE", "/run/secrets/root/pw", ""},
		{"PROJECTED", "k", `file /projected/deep/pw of secret default/extra key "KEY"`},
		{"COVERED", "k", `file /projected/password of secret default/extra key "KEY"`}, // the later source
		{"SUBPATH", "s3cret", `file /etc/pw of secret default/admin key "password"`},
		{"SETTING", "5432", `file /settings/PORT of configmap default/settings key "PORT"`},
		{"BINARY", "\x00\x01", ""},
	} {
		v, found, err := e.Lookup(t.Context(), c.name)
		if err != nil || !found {
			t.Errorf("%s: found %v, %v", c.name, found, err)
			continue
		}
		if diff := cmp.Diff(c.value, string(v.Value.Reveal())); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if !strings.HasPrefix(v.Source, c.source) {
			t.Errorf("%s: from %q, want %q", c.name, v.Source, c.source)
		}
	}
}

func TestEnvironmentLookupFails(t *testing.T) {
	e, _ := databaseEnv(t)
	for name, want := range map[string]string{
		"GONE":     "secret default/absent does not exist",
		"NOKEY":    `secret default/admin key "nothing" does not exist`,
		"CPU":      "its source can't be resolved",
		"HIDDEN":   `volume "root" has no such file`,
		"CACHE":    `volume "cache" holds no Secret`,
		"IMAGE":    "is in the image",
		"RELATIVE": "not absolute",
	} {
		if _, found, err := e.Lookup(t.Context(), name); err == nil || found || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: found %v, %v, want %q", name, found, err, want)
		}
	}
	if _, found, err := e.Lookup(t.Context(), "NOBODY"); found || err != nil {
		t.Errorf("NOBODY: found %v, %v", found, err)
	}
}

// Only the Secrets that a name needs are read, once each.
func TestEnvironmentReadsLittle(t *testing.T) {
	e, client := databaseEnv(t)
	for range 2 {
		for _, name := range []string{"PLAIN", "PASSWORD", "DSN"} {
			if _, _, err := e.Lookup(t.Context(), name); err != nil {
				t.Error(err)
			}
		}
	}
	if diff := cmp.Diff([]string{"get secrets admin"}, actions(client)); diff != "" {
		t.Error(diff)
	}
}

func actions(client *fake.Clientset) []string {
	var all []string
	for _, a := range client.Actions() {
		all = append(all, fmt.Sprintf("%s %s %s", a.GetVerb(), a.GetResource().Resource, a.(clienttesting.GetAction).GetName()))
	}
	return all
}

// What may not be read is an error that says so, not a variable that is not there.
func TestEnvironmentForbidden(t *testing.T) {
	e, client := databaseEnv(t)
	client.PrependReactor("get", "secrets", func(clienttesting.Action) (bool, kuberuntime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "admin", nil)
	})
	for _, name := range []string{"PASSWORD", "DSN", "ROOT", "EXTRA_KEY"} {
		_, found, err := e.Lookup(t.Context(), name)
		if found || !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "reading secret default/") {
			t.Errorf("%s: found %v, %v", name, found, err)
		}
	}
}

func TestContainerEnvOfWhatIsNotThere(t *testing.T) {
	client := fake.NewClientset(databaseObjects(t)...)
	for _, c := range []struct{ pod, container, want string }{
		{"db-1", "db", `reading pod default/db-1`},
		{"db-0", "sidecar", `pod default/db-0 has no container "sidecar"`},
		{"db-0", "", `pod default/db-0 has no container ""`}, // it has two
	} {
		_, err := ContainerEnv(t.Context(), client.CoreV1(), "default", c.pod, c.container)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s/%s: %v", c.pod, c.container, err)
		}
	}
}

func TestVariableShowsNothing(t *testing.T) {
	e, _ := databaseEnv(t)
	v, _, err := e.Lookup(t.Context(), "DSN")
	if err != nil {
		t.Fatal(err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(shown, "s3cret") {
		t.Error(shown)
	}
}
