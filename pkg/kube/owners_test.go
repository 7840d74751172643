package kube

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
)

// A pod belongs to the controller that it names if that one selects it, has such a name for it, and is the one that is there.
func TestAControllerMakesNoPodThatOnlyNamesIt(t *testing.T) {
	yes, three := true, int32(3)
	ref := func(version, kind, name, uid string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: name, UID: types.UID(uid), Controller: &yes}}
	}
	meta := func(name, uid string, owners []metav1.OwnerReference) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(uid), OwnerReferences: owners}
	}
	app := func(name string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
	}
	client := fake.NewClientset(
		&appsv1.StatefulSet{ObjectMeta: meta("redis", "1", nil), Spec: appsv1.StatefulSetSpec{Replicas: &three, Selector: app("redis")}},
		&appsv1.StatefulSet{ObjectMeta: meta("later", "2", nil), Spec: appsv1.StatefulSetSpec{
			Replicas: &three, Selector: app("later"), Ordinals: &appsv1.StatefulSetOrdinals{Start: 5},
		}},
		&appsv1.ReplicaSet{ObjectMeta: meta("pg-a", "3", ref("apps/v1", "Deployment", "pg", "4")), Spec: appsv1.ReplicaSetSpec{Selector: app("pg")}},
		&appsv1.ReplicaSet{ObjectMeta: meta("bare", "5", nil), Spec: appsv1.ReplicaSetSpec{Selector: app("bare")}},
		&appsv1.DaemonSet{ObjectMeta: meta("agent", "6", nil), Spec: appsv1.DaemonSetSpec{Selector: app("agent")}},
	)
	owners := (&Clients{Kube: client}).Owners()
	for _, c := range []struct {
		pod, app string
		owner    []metav1.OwnerReference
		want     string
	}{
		{"redis-0", "redis", ref("apps/v1", "StatefulSet", "redis", "1"), "StatefulSet/redis"},
		{"redis-2", "redis", ref("apps/v1", "StatefulSet", "redis", "1"), "StatefulSet/redis"},
		{"redis-3", "redis", ref("apps/v1", "StatefulSet", "redis", "1"), ""}, // it is not there, by the number of replicas
		{"redis-01", "redis", ref("apps/v1", "StatefulSet", "redis", "1"), ""},
		{"redis--1", "redis", ref("apps/v1", "StatefulSet", "redis", "1"), ""},
		{"redis-x", "redis", ref("apps/v1", "StatefulSet", "redis", "1"), ""},
		{"thief", "redis", ref("apps/v1", "StatefulSet", "redis", "1"), ""},
		{"redis-1", "thief", ref("apps/v1", "StatefulSet", "redis", "1"), ""},
		{"redis-1", "redis", ref("apps/v1", "StatefulSet", "redis", "9"), ""}, // an earlier one's
		{"redis-1", "redis", ref("apps/v1", "StatefulSet", "none", "8"), ""},
		{"later-5", "later", ref("apps/v1", "StatefulSet", "later", "2"), "StatefulSet/later"},
		{"later-0", "later", ref("apps/v1", "StatefulSet", "later", "2"), ""},
		{"pg-a-x", "pg", ref("apps/v1", "ReplicaSet", "pg-a", "3"), "Deployment/pg"},
		{"thief", "thief", ref("apps/v1", "ReplicaSet", "pg-a", "3"), ""},
		{"bare-x", "bare", ref("apps/v1", "ReplicaSet", "bare", "5"), "ReplicaSet/bare"},
		{"agent-x", "agent", ref("apps/v1", "DaemonSet", "agent", "6"), "DaemonSet/agent"},
		{"thief", "thief", ref("apps/v1", "DaemonSet", "agent", "6"), ""},
		{"orders-4", "orders", ref("postgresql.cnpg.io/v1", "Cluster", "orders", "7"), "Cluster/orders"}, // nothing more is known
		{"alone", "redis", nil, ""},
	} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: c.pod, Labels: map[string]string{"app": c.app}, OwnerReferences: c.owner}}
		top, err := owners.Of(t.Context(), p)
		got := ""
		if top != nil {
			got = top.Kind + "/" + top.Name
		}
		if err != nil || got != c.want {
			t.Errorf("%s, labelled %s: %q, %v; want %q", c.pod, c.app, got, err, c.want)
		}
	}
}
