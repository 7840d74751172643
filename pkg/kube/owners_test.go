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
		&appsv1.Deployment{ObjectMeta: meta("pg", "4", nil), Spec: appsv1.DeploymentSpec{Selector: app("pg")}},
		labelled(&appsv1.ReplicaSet{ObjectMeta: meta("pg-a", "3", ref("apps/v1", "Deployment", "pg", "4")), Spec: appsv1.ReplicaSetSpec{Selector: app("pg")}}, "pg"),
		labelled(&appsv1.ReplicaSet{ObjectMeta: meta("forged", "10", ref("apps/v1", "Deployment", "pg", "4")), Spec: appsv1.ReplicaSetSpec{Selector: app("thief")}}, "thief"),
		labelled(&appsv1.ReplicaSet{ObjectMeta: meta("rolled", "11", ref("argoproj.io/v1alpha1", "Rollout", "pg", "12")), Spec: appsv1.ReplicaSetSpec{Selector: app("rolled")}}, "rolled"),
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
		{"thief", "thief", ref("apps/v1", "ReplicaSet", "forged", "10"), ""}, // which the Deployment does not select
		{"rolled-x", "rolled", ref("argoproj.io/v1alpha1", "Rollout", "pg", "12"), "Rollout/pg"},
		{"rolled-x", "rolled", ref("apps/v1", "ReplicaSet", "rolled", "11"), "Rollout/pg"},
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

func labelled(set *appsv1.ReplicaSet, app string) *appsv1.ReplicaSet {
	set.Labels = map[string]string{"app": app}
	return set
}

// A pod that names another kind with the UID of a controller is not one of that controller's, in
// whatever order they are seen; and a Service leads to the pods of one controller.
func TestAClaimOfAnotherKindIsAnotherController(t *testing.T) {
	yes := true
	pod := func(name, version, kind, set string) *corev1.Pod {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": "redis"}}}
		if kind != "" {
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: set, UID: "1", Controller: &yes}}
		}
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		return p
	}
	replicas, app := int32(2), map[string]string{"app": "redis"}
	set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "redis", UID: "1"},
		Spec: appsv1.StatefulSetSpec{Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: app}}}
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "redis"}, Spec: corev1.ServiceSpec{Selector: app}}
	zero, one := pod("redis-0", "apps/v1", "StatefulSet", "redis"), pod("redis-1", "apps/v1", "StatefulSet", "redis")
	away := zero.DeepCopy()
	away.Status.Conditions = nil
	for name, forged := range map[string]*corev1.Pod{
		"another group":   pod("a-thief", "example.com/v1", "StatefulSet", "redis"),
		"another kind":    pod("a-thief", "example.com/v1", "Cluster", "redis"),
		"another name":    pod("a-thief", "apps/v1", "StatefulSet", "other"),
		"an unknown kind": pod("a-thief", "apps/v1", "Other", "redis"),
		"no version":      pod("a-thief", "/", "StatefulSet", "redis"),
		"no controller":   pod("a-thief", "", "", ""),
	} {
		t.Run(name, func(t *testing.T) {
			clients := &Clients{Kube: fake.NewClientset(set, service, zero, one, forged)}
			owners := clients.Owners()
			for _, kind := range []string{"statefulset", "service"} {
				named, err := owners.Named(t.Context(), "shop", kind, "redis", []corev1.Pod{*forged, *zero, *one})
				if kind == "service" && err == nil || kind == "statefulset" && (err != nil || len(named) != 2) {
					t.Errorf("%s/redis is %d pods, %v", kind, len(named), err)
				}
			}
			siblings, err := owners.Siblings(t.Context(), *zero)
			if err != nil || len(siblings) != 2 || siblings[0].Name != "redis-0" || siblings[1].Name != "redis-1" {
				t.Errorf("%d siblings, %v", len(siblings), err)
			}
			for _, all := range [][]corev1.Pod{{*forged, *zero}, {*zero, *forged}, {*forged, *away}} {
				if err := clients.Owners().One(t.Context(), "shop", "redis", all); err == nil {
					t.Errorf("%s and %s count as of one controller", all[0].Name, all[1].Name)
				}
			}
		})
	}
	clients := &Clients{Kube: fake.NewClientset(set, service, away, one)}
	if got, err := clients.ReadyPodBehind(t.Context(), "shop", "redis"); err != nil || got != "redis-1" {
		t.Errorf("%s, %v: want the pod that is ready", got, err)
	}
}
