package manifests

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

var values = Values{
	Namespace: "demo", BaseImage: "base", BackendImage: "service", PullPolicy: "Never", Data: "/tmp/demo",
	Replicas: 3, TokenLifetime: "15m0s", DrainDelay: "4s", PostgreSQLAddress: "10.96.0.7", RedisNodes: 2,
}

func TestObjectsOfEachFile(t *testing.T) {
	want := map[string][]string{
		"postgresql.yaml": {
			"ConfigMap postgresql-scripts", "Service postgresql", "PersistentVolume demo-postgresql", "StatefulSet postgresql",
		},
		"redis.yaml":   {"ConfigMap redis-scripts", "Service redis", "PersistentVolume demo-redis", "PersistentVolume demo-redis-1", "StatefulSet redis"},
		"backend.yaml": {"Service backend", "Deployment backend"},
	}
	got := map[string][]string{}
	for file := range want {
		for _, o := range render(t, file) {
			got[file] = append(got[file], o.GetKind()+" "+o.GetName())
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

// Strict conversion fails on a field that the API does not have, which the API server would only warn about.
func TestEveryFieldIsKnownToTheAPI(t *testing.T) {
	kinds := map[string]func() any{
		"ConfigMap":        func() any { return new(corev1.ConfigMap) },
		"Service":          func() any { return new(corev1.Service) },
		"PersistentVolume": func() any { return new(corev1.PersistentVolume) },
		"StatefulSet":      func() any { return new(appsv1.StatefulSet) },
		"Deployment":       func() any { return new(appsv1.Deployment) },
	}
	for _, file := range []string{"postgresql.yaml", "redis.yaml", "backend.yaml"} {
		for _, o := range render(t, file) {
			typed := kinds[o.GetKind()]()
			err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, typed, true)
			if err != nil {
				t.Errorf("%s: %s %s: %v", file, o.GetKind(), o.GetName(), err)
			}
		}
	}
}

func TestBackendReachesTheDatabaseByTheNameInItsConnectionString(t *testing.T) {
	objects := render(t, "backend.yaml")
	aliases, _, err := unstructured.NestedSlice(objects[1].Object, "spec", "template", "spec", "hostAliases")
	if err != nil {
		t.Fatal(err)
	}
	want := []any{map[string]any{"ip": "10.96.0.7", "hostnames": []any{"postgresql"}}}
	if diff := cmp.Diff(want, aliases); diff != "" {
		t.Errorf("host aliases (-want +got):\n%s", diff)
	}
}

func TestUnknownFileIsAnError(t *testing.T) {
	if _, err := Render("mysql.yaml", values); err == nil {
		t.Error("no error")
	}
}

func render(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := Render(file, values)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}
