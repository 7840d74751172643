package wiring

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// The server's own pods are never rolled: a container beside the server that is handed the Secret is asked about by name,
// and the server itself is not.
func TestBesideTheServer(t *testing.T) {
	from := []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "db"}}}}
	spec := corev1.PodSpec{Containers: []corev1.Container{
		{Name: "exporter", EnvFrom: from},
		{Name: "server", EnvFrom: from, Ports: []corev1.ContainerPort{{ContainerPort: 5432}}},
		{Name: "backup"},
	}}
	client := fake.NewClientset(&appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "postgresql"},
		Spec:       appsv1.StatefulSetSpec{Template: corev1.PodTemplateSpec{Spec: spec}},
	})
	in := settled(opening{server: config.Server{Port: 5432}}, []corev1.Pod{{Spec: spec}})
	if got := in.server.Container; got != "server" {
		t.Errorf("the server's container is %q, want the one that declares the port", got)
	}
	consumers := &workload.Consumers{Client: client, Namespace: "shop", Secret: "db", Keep: []string{"statefulset/postgresql"}}
	_, asks, err := beside(t.Context(), workload.Across{consumers}, in.server.Container)
	want := []rotation.Item{{Name: "statefulset/postgresql",
		Note: "its container exporter reads the Secret beside the server, which is not rolled: it keeps the old login until you restart it"}}
	if diff := cmp.Diff(want, asks); diff != "" || err != nil {
		t.Errorf("%v, asked (-want +got):\n%s", err, diff)
	}
}

// A login that stands outside the Secret cannot change with it: that is refused before anything begins, by its name, unless the
// password alone is to change.
func TestALoginOutsideTheSecretIsRefusedBeforehand(t *testing.T) {
	in := opening{
		namespace: "shop",
		target:    config.Target{Secret: config.Secret{Name: "db", Login: "backend", Password: "password"}},
		clients: &kube.Clients{Kube: fake.NewClientset(&corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "db"}, Data: map[string][]byte{"password": []byte("s3cret")},
		})},
	}
	_, err := written(t.Context(), in, true)
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "secret shop/db: the login backend stands outside the Secret") ||
		!strings.Contains(rotation.Hint(err), "same-user") {
		t.Errorf("%v (%s), want a refusal with what to do", err, rotation.Hint(err))
	}
	if _, err := written(t.Context(), in, false); err != nil {
		t.Errorf("the password alone can change: %v", err)
	}
}
