package wiring

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
)

// owned is a pod of a controller, with a label that says what it is.
func owned(name, kind, owner, app string) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{"app": app}}}
	if owner != "" {
		p.OwnerReferences = []metav1.OwnerReference{controlledBy(kind, owner)}
	}
	return p
}

func controlledBy(kind, name string) metav1.OwnerReference {
	yes := true
	return metav1.OwnerReference{APIVersion: "apps/v1", Kind: kind, Name: name, UID: types.UID(kind + "/" + name), Controller: &yes}
}

func replicaSet(name, deployment string) *appsv1.ReplicaSet {
	return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: name, UID: types.UID("ReplicaSet/" + name), OwnerReferences: []metav1.OwnerReference{controlledBy("Deployment", deployment)},
		Labels: map[string]string{"app": deployment},
	}, Spec: appsv1.ReplicaSetSpec{Selector: labelled("store")}}
}

func statefulSet(name, app string, replicas int32) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("StatefulSet/" + name)},
		Spec:       appsv1.StatefulSetSpec{Replicas: &replicas, Selector: labelled(app)},
	}
}

func labelled(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
}

// Nodes are the pods of the configured pod's controller, and what the configuration names. A pod's name, label or address makes it none.
func TestNodesOfRedisAreThoseOfItsControllerAndOfTheConfiguration(t *testing.T) {
	ended := owned("redis-9", "StatefulSet", "redis", "redis")
	ended.Status.Phase = corev1.PodFailed
	all := fake.NewClientset(
		statefulSet("redis", "redis", 2), statefulSet("redis-replicas", "replica", 1),
		owned("forged", "StatefulSet", "redis", "redis"), owned("redis-8", "StatefulSet", "redis", "redis"), owned("forged-too", "ReplicaSet", "store-a", "forged"),
		owned("forged-again", "StatefulSet", "redis-replicas", "forged"),
		owned("redis-0", "StatefulSet", "redis", "redis"), owned("redis-1", "StatefulSet", "redis", "redis"), ended,
		owned("redis-replicas-0", "StatefulSet", "redis-replicas", "replica"), owned("redis-2", "", "", "redis"), owned("thief", "StatefulSet", "thief", "redis"),
		owned("store-a-x", "ReplicaSet", "store-a", "store"), owned("store-b-x", "ReplicaSet", "store-b", "store"), owned("other-x", "ReplicaSet", "other", "store"),
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "store", UID: "Deployment/store"}, Spec: appsv1.DeploymentSpec{Selector: labelled("store")}},
		replicaSet("store-a", "store"), replicaSet("store-b", "store"), replicaSet("other", "other"),
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "replicas"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "replica"}}},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "everything"}},
	)
	for name, c := range map[string]struct {
		first string
		nodes []string
		via   kube.Via
		want  []string // nil: an error
	}{
		"a StatefulSet":           {"redis-0", nil, kube.ViaAuto, []string{"redis-0", "redis-1"}},
		"a Deployment":            {"store-a-x", nil, kube.ViaAuto, []string{"store-a-x", "store-b-x"}},
		"a pod alone":             {"redis-2", nil, kube.ViaAuto, []string{"redis-2"}},
		"another StatefulSet too": {"redis-0", []string{"statefulset/redis-replicas"}, kube.ViaAuto, []string{"redis-0", "redis-1", "redis-replicas-0"}},
		"a Service too":           {"redis-0", []string{"service/replicas"}, kube.ViaAuto, []string{"redis-0", "redis-1", "redis-replicas-0"}},
		"a pod too":               {"redis-0", []string{"pod/redis-2"}, kube.ViaAuto, []string{"redis-0", "redis-1", "redis-2"}},
		"an address too":          {"redis-0", []string{"redis.example:6379"}, kube.ViaAuto, []string{"redis-0", "redis-1", "redis.example:6379"}},
		"addresses alone":         {"", []string{"redis.example:6379", "statefulset/redis"}, kube.ViaDirect, []string{"redis.example:6379"}},
		"no address":              {"", nil, kube.ViaDirect, nil},
		"a Service of no pods":    {"redis-0", []string{"service/everything"}, kube.ViaAuto, nil},
		"a Service that is gone":  {"redis-0", []string{"service/gone"}, kube.ViaAuto, nil},
	} {
		t.Run(name, func(t *testing.T) {
			in := opening{
				clients: &kube.Clients{Kube: all}, namespace: "shop", via: c.via, server: config.Server{Port: 6379, Pod: c.first},
				target: config.Target{Kind: config.KindRedis, Redis: &config.Redis{Nodes: c.nodes}},
			}
			s := stores{in: in, owners: in.clients.Owners()}
			if c.first != "" {
				p, err := all.CoreV1().Pods("shop").Get(t.Context(), c.first, metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				s.first = []corev1.Pod{*p}
			}
			nodes, err := s.nodes(t.Context())
			var names []string
			for _, n := range nodes {
				names = append(names, n.Name)
			}
			slices.Sort(names)
			if diff := cmp.Diff(c.want, names); diff != "" || (err == nil) != (c.want != nil) {
				t.Errorf("%v, -want +got:\n%s", err, diff)
			}
		})
	}
}
