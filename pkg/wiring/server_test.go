package wiring

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Whose pods get new names, as an operator's do, is found behind the Service that leads to its primary, with its standbys.
func TestServerBehindAService(t *testing.T) {
	owned := true
	pod := func(name, role string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"cluster": "orders", "role": role},
				OwnerReferences: []metav1.OwnerReference{{Kind: "Cluster", Name: "orders", UID: "1", Controller: &owned}}},
			Spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: "postgres"}}},
			Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
		}
	}
	service := &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders-rw"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"cluster": "orders", "role": "primary"}},
	}
	in := opening{
		clients: &kube.Clients{Kube: fake.NewClientset(service, pod("orders-4", "replica"), pod("orders-7", "primary"))}, namespace: "shop",
		target: config.Target{Kind: config.KindPostgres}, server: config.Server{Section: "postgres", Service: "orders-rw"},
	}
	pods, err := serverPods(t.Context(), in)
	if err != nil || len(pods) != 2 || pods[0].Name != "orders-7" || pods[1].Name != "orders-4" {
		t.Fatalf("%d pods, %v: want the primary first, and its standby", len(pods), err)
	}
	if got := settled(in, pods).server; got.Pod != "orders-7" || got.Container != "postgres" {
		t.Errorf("the server is %s in %s", got.Container, got.Pod)
	}
	in.server.Service = "orders"
	if _, err := serverPods(t.Context(), in); err == nil || !strings.Contains(err.Error(), `"orders" not found`) || !strings.Contains(rotation.Hint(err), "postgres.service") {
		t.Errorf("%v (%s), want that there is no such service", err, rotation.Hint(err))
	}
	in.via = kube.ViaDirect
	if pods, err := serverPods(t.Context(), in); err != nil || pods != nil {
		t.Errorf("at an address: %v, %v", pods, err)
	}
}
