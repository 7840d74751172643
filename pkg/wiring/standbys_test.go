package wiring

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// ownedBy is a reference to a controller, whose UID is its name.
func ownedBy(version, kind, name string) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{APIVersion: version, Kind: kind, Name: name, UID: types.UID(name), Controller: &yes}}
}

func serverPod(name, ip string, owner []metav1.OwnerReference) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, OwnerReferences: owner, Labels: map[string]string{"pod": name, "app": "pg"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "postgres"}}},
		Status:     corev1.PodStatus{PodIPs: []corev1.PodIP{{IP: ip}}},
	}
}

// setNamed is a StatefulSet of pods with the label app=pg, whose UID is its name.
func setNamed(name string, replicas int32) *appsv1.StatefulSet {
	set := statefulSet(name, "pg", replicas)
	set.UID = types.UID(name)
	return set
}

// What makes the server's pods is never rolled as a consumer of its own Secret, whatever its kind; and all its pods are nodes.
func TestWhatMakesTheServerIsKept(t *testing.T) {
	set := func(name string, owner []metav1.OwnerReference) *appsv1.ReplicaSet {
		return &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), OwnerReferences: owner, Labels: map[string]string{"app": "pg"}},
			Spec: appsv1.ReplicaSetSpec{Selector: labelled("pg")}}
	}
	for _, c := range []struct {
		name string
		pods []*corev1.Pod
		keep string
	}{
		{"nothing", []*corev1.Pod{serverPod("pg", "10.0.0.1", nil)}, "pod/pg"},
		{"a StatefulSet", []*corev1.Pod{
			serverPod("pg-0", "10.0.0.1", ownedBy("apps/v1", "StatefulSet", "pg")), serverPod("pg-1", "10.0.0.2", ownedBy("apps/v1", "StatefulSet", "pg")),
		}, "statefulset/pg"},
		{"a DaemonSet", []*corev1.Pod{serverPod("pg", "10.0.0.1", ownedBy("apps/v1", "DaemonSet", "agent"))}, "daemonset/agent"},
		{"an operator's own kind", []*corev1.Pod{
			serverPod("pg", "10.0.0.1", ownedBy("postgresql.cnpg.io/v1", "Cluster", "orders")), serverPod("pg-2", "10.0.0.2", ownedBy("postgresql.cnpg.io/v1", "Cluster", "orders")),
		}, "cluster/orders"},
		{"a ReplicaSet of nobody", []*corev1.Pod{serverPod("pg", "10.0.0.1", ownedBy("apps/v1", "ReplicaSet", "alone"))}, "replicaset/alone"},
		{"a Deployment, across its ReplicaSets", []*corev1.Pod{
			serverPod("pg", "10.0.0.1", ownedBy("apps/v1", "ReplicaSet", "pg-new")), serverPod("pg-old", "10.0.0.2", ownedBy("apps/v1", "ReplicaSet", "pg-old")),
		}, "deployment/pg"},
		{"a ReplicaSet that is gone", []*corev1.Pod{serverPod("pg", "10.0.0.1", ownedBy("apps/v1", "ReplicaSet", "gone"))}, "pod/pg"},
		{"a ReplicaSet of another group", []*corev1.Pod{serverPod("pg", "10.0.0.1", ownedBy("example.com/v1", "ReplicaSet", "pg-new"))}, "replicaset/pg-new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := fake.NewClientset(
				setNamed("pg", 2), &appsv1.DaemonSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "agent", UID: "agent"}, Spec: appsv1.DaemonSetSpec{Selector: labelled("pg")}},
				serverPod("forged", "10.0.0.8", ownedBy("apps/v1", "StatefulSet", "pg")), serverPod("pg-7", "10.0.0.8", ownedBy("apps/v1", "StatefulSet", "pg")),
				&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "pg", UID: "pg"}, Spec: appsv1.DeploymentSpec{Selector: labelled("pg")}},
				set("pg-new", ownedBy("apps/v1", "Deployment", "pg")), set("pg-old", ownedBy("apps/v1", "Deployment", "pg")), set("alone", nil),
				serverPod("backend", "10.0.0.9", ownedBy("apps/v1", "ReplicaSet", "backend")), set("backend", ownedBy("apps/v1", "Deployment", "backend")))
			for _, p := range c.pods {
				if err := client.Tracker().Add(p); err != nil {
					t.Fatal(err)
				}
			}
			in := opening{
				clients: &kube.Clients{Kube: client}, namespace: "shop",
				target: config.Target{Kind: config.KindPostgres}, server: config.Server{Section: "postgres", Pod: c.pods[0].Name},
			}
			pods, err := serverPods(t.Context(), in)
			if err != nil || len(pods) != len(c.pods) || pods[0].Name != c.pods[0].Name {
				t.Fatalf("%d pods, %v: want all %d, the one that was named first", len(pods), err, len(c.pods))
			}
			got, err := keep(t.Context(), in, pods)
			if err != nil || !slices.Equal(got, []string{c.keep}) {
				t.Errorf("%q, %v: want %q", got, err, c.keep)
			}
		})
	}
}

// Standbys that another controller makes are found as the configuration names them, and nowhere else.
func TestStandbysOfTheConfiguration(t *testing.T) {
	read := ownedBy("apps/v1", "StatefulSet", "pg-read")
	client := fake.NewClientset(
		setNamed("pg", 1), setNamed("pg-read", 2), serverPod("forged", "10.0.0.8", read),
		serverPod("pg-0", "10.0.0.1", ownedBy("apps/v1", "StatefulSet", "pg")), serverPod("pg-read-0", "10.0.0.2", read), serverPod("pg-read-1", "10.0.0.3", read),
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "pg-one"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"pod": "pg-read-1"}}})
	for _, c := range []struct {
		via      kube.Via
		standbys []string
		nodes    string
		fails    string
	}{
		{kube.ViaAuto, nil, "pg-0[10.0.0.1]", ""},
		{kube.ViaAuto, []string{"pod/pg-read-1"}, "pg-0[10.0.0.1] pg-read-1[10.0.0.3]", ""},
		{kube.ViaAuto, []string{"statefulset/pg-read"}, "pg-0[10.0.0.1] pg-read-0[10.0.0.2] pg-read-1[10.0.0.3]", ""},
		{kube.ViaExec, []string{"service/pg-one"}, "pg-0[10.0.0.1] pg-read-1[10.0.0.3]", ""},
		{kube.ViaAuto, []string{"pod/other"}, "", "there is no pod of pod/other"},
		{kube.ViaAuto, []string{"db.example:5432"}, "", "only --via=direct leads to db.example:5432"},
		{kube.ViaDirect, []string{"pod/pg-read-1"}, "", "--via=direct does not lead to pod/pg-read-1"},
		{kube.ViaDirect, []string{"replica.example:5433"}, "db.example:5432[] replica.example:5433[]", ""},
	} {
		in := opening{
			clients: &kube.Clients{Kube: client}, namespace: "shop", via: c.via,
			target: config.Target{Kind: config.KindPostgres, Postgres: &config.Postgres{Port: 5432, Address: "db.example:5432", Standbys: c.standbys}},
			server: config.Server{Section: "postgres", Pod: "pg-0"},
		}
		pods, err := serverPods(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		more, err := standbyPods(t.Context(), in, in.clients.Owners())
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) || rotation.Hint(err) == "" {
				t.Errorf("%s %q: %v (%s), want %q and a hint", c.via, c.standbys, err, rotation.Hint(err), c.fails)
			}
			continue
		}
		var names []string
		for _, n := range nodes(in, slices.Concat(pods, more), postgres.Admin{}) {
			names = append(names, n.Name+"["+strings.Join(n.Addresses, ",")+"]")
		}
		if got := strings.Join(names, " "); err != nil || got != c.nodes {
			t.Errorf("%s %q: %s, %v: want %s", c.via, c.standbys, got, err, c.nodes)
		}
	}
}

// A server that is dialed directly may run in the cluster all the same.
func TestAServerAtAnAddressIsNotItsOwnConsumer(t *testing.T) {
	known := serverPod("pg-0", "10.0.0.1", nil)
	host := serverPod("agent", "10.0.0.3", nil)
	host.Spec.HostNetwork = true
	client := fake.NewClientset(known, serverPod("database-x", "10.0.0.2", nil), host)
	in := opening{clients: &kube.Clients{Kube: client}, namespace: "shop", via: kube.ViaDirect}
	for _, c := range []struct {
		at   addresses
		want string
	}{
		{addresses{"10.0.0.1"}, ""}, {addresses{"192.0.2.1", ""}, ""}, {addresses{"10.0.0.3"}, ""},
		{addresses{"10.0.0.1", "10.0.0.2"}, "pod shop/database-x"},
	} {
		err := apartFrom(t.Context(), in, c.at, []corev1.Pod{*known})
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, rotation.ErrRefused)) {
			t.Errorf("%v: %v, want %q", c.at, err, c.want)
		}
	}
	in.via = kube.ViaAuto
	if err := apartFrom(t.Context(), in, addresses{"10.0.0.2"}, nil); err != nil {
		t.Errorf("through a tunnel: %v", err)
	}
}

type addresses []string

func (a addresses) Addresses(context.Context) ([]string, error) { return a, nil }

// Standbys that nobody asks are agreed to before a rotation begins. A leak waits for nobody: they are named.
func TestStandbysThatNobodyAsksAreAgreedTo(t *testing.T) {
	there := replicas{{Name: "standby", Note: "none of the nodes", Consent: rotation.ConsentUnknownNode}}
	for _, c := range []struct {
		in          opening
		notes, asks int
	}{
		{opening{}, 1, 1}, {opening{leaked: true}, 2, 0}, {opening{via: kube.ViaDirect}, 2, 1},
	} {
		c.in.target.Postgres = &config.Postgres{}
		notes, asks, err := standbysAsked(t.Context(), c.in, there)
		if err != nil || len(notes) != c.notes || len(asks) != c.asks {
			t.Errorf("leaked %v, by %q: %q, %v, %v: want %d notes and %d questions", c.in.leaked, c.in.via, notes, asks, err, c.notes, c.asks)
		}
	}
}

type replicas []rotation.Item

func (r replicas) Replicas(context.Context) ([]string, []rotation.Item, error) {
	return []string{"one is away"}, r, nil
}
