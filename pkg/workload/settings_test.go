package workload

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	kubetesting "k8s.io/client-go/testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// plain is a Deployment of the given name that reads a Secret.
func plain(name, secret string) *appsv1.Deployment {
	t := template()
	t.Spec.Containers[0].EnvFrom = envFrom(secret)
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(name)},
		Spec:       appsv1.DeploymentSpec{Template: t},
	}
}

// configured is a Deployment that reads the Secret, and settings in all ways there are.
func configured() []runtime.Object {
	d := plain("backend", secret)
	spec := &d.Spec.Template.Spec
	ref := corev1.LocalObjectReference{Name: "settings"}
	spec.Containers[0].EnvFrom = append(spec.Containers[0].EnvFrom, corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: ref}})
	spec.Containers[0].Env = []corev1.EnvVar{
		{Name: "PGUSER", Value: "backend"},
		{Name: "HOST", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "hosts"}, Key: "db"}}},
	}
	spec.Volumes = []corev1.Volume{{VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "files"}}}}}
	data := func(name string, pairs map[string]string) *corev1.ConfigMap {
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name}, Data: pairs}
	}
	return []runtime.Object{d, data("settings", map[string]string{"level": "debug"}), data("hosts", map[string]string{"db": "pg", "cache": "redis"}), data("unread", map[string]string{"user": "backend"})}
}

func TestSettings(t *testing.T) {
	c := &Consumers{Client: fake.NewClientset(configured()...), Namespace: "default", Secret: secret}
	got, notes, err := c.Settings(t.Context())
	if err != nil || len(notes) > 0 {
		t.Fatal(notes, err)
	}
	want := []Setting{ // the ConfigMap files is not there
		{"deployment/backend", "app", "variable PGUSER", "deployment/backend/PGUSER", "backend"},
		{"deployment/backend", "app", "key level of configmap settings", "configmap/settings/level", "debug"},
		{"deployment/backend", "app", "key db of configmap hosts", "configmap/hosts/db", "pg"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the settings (-want +got):\n%s", diff)
	}
}

// A ConfigMap that may not be read is said, and is not taken for one without the login.
func TestSettingsThatMayNotBeRead(t *testing.T) {
	client := fake.NewClientset(configured()...)
	client.PrependReactor("get", "configmaps", func(kubetesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "settings", nil)
	})
	c := &Consumers{Client: client, Namespace: "default", Secret: secret}
	_, notes, err := c.Settings(t.Context())
	if err != nil || len(notes) != 3 {
		t.Errorf("the notes are %q, %v; want one for each ConfigMap", notes, err)
	}
}

// Consumers of several Secrets, and one that is named, are all found.
func TestSeveralSecrets(t *testing.T) {
	named, other := plain("by-api", "no-secret"), plain("other", "other-secret")
	c := &Consumers{Client: fake.NewClientset(named, other), Namespace: "default", Secret: secret,
		Names: []string{secret, "other-secret"}, More: []string{"deployment/by-api"}}
	all, err := c.Workloads(t.Context())
	var found []string
	for _, w := range all {
		found = append(found, w.Name)
	}
	if diff := cmp.Diff([]string{"deployment/by-api", "deployment/other"}, found); diff != "" || err != nil {
		t.Errorf("%v, the workloads (-want +got):\n%s", err, diff)
	}
	if _, _, err := c.Preflight(t.Context()); err != nil {
		t.Errorf("what is named is there: %v", err)
	}
	c.More = append(c.More, "deployment/by-api-2")
	_, _, err = c.Preflight(t.Context())
	if !errors.Is(err, rotation.ErrRefused) || err.Error() != "there is no deployment/by-api-2 in namespace default, which the configuration names as a consumer" ||
		rotation.Hint(err) == "" {
		t.Errorf("%v (%s), want a refusal that names it", err, rotation.Hint(err))
	}
	c.Names, c.More = nil, nil
	if all, err := c.Workloads(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("without them: %+v, %v", all, err)
	}
}

func TestInsist(t *testing.T) {
	c := &Consumers{Secret: secret}
	fields := []metav1.ManagedFieldsEntry{{Manager: "argocd-controller"}, {Manager: FieldManager}, {Manager: "kube-controller-manager", Subresource: "status"}}
	for range mostMoves {
		must(t, c.insist("deployment/backend", 2, fields))
	}
	must(t, c.insist("deployment/backend", 3, fields)) // another edition
	must(t, c.insist("deployment/other", 2, fields))
	err := c.insist("deployment/backend", 2, fields)
	want := "somebody has taken the label " + Label(secret) + "=2 away from the template of deployment/backend, 3 times; those who write it are \"argocd-controller\""
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %q", err, want)
	}
}
