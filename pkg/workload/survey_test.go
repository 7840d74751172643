package workload

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
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

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID(name)}
}

// ownedBy has an object controlled by another, whose UID is its name.
func ownedBy(apiVersion, kind, name string) []metav1.OwnerReference {
	yes := true
	return []metav1.OwnerReference{{APIVersion: apiVersion, Kind: kind, Name: name, UID: types.UID(name), Controller: &yes}}
}

func podOf(name, apiVersion, kind, owner string) *corev1.Pod {
	return newPod(func(p *corev1.Pod) {
		p.Name, p.Namespace, p.UID = name, "default", types.UID(name)
		if owner != "" {
			p.OwnerReferences = ownedBy(apiVersion, kind, owner)
		}
	})
}

// world is a namespace with a workload of each kind, and some that do not read the Secret.
func world() []runtime.Object {
	reader := template()
	other := corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app"}}}}
	rollout := &appsv1.ReplicaSet{ObjectMeta: meta("canary-1"), Spec: appsv1.ReplicaSetSpec{Template: reader}}
	rollout.OwnerReferences = ownedBy("argoproj.io/v1alpha1", "Rollout", "canary")
	set := &appsv1.ReplicaSet{ObjectMeta: meta("backend-1"), Spec: appsv1.ReplicaSetSpec{Template: reader}}
	set.OwnerReferences = ownedBy("apps/v1", "Deployment", "backend")
	return []runtime.Object{
		&appsv1.Deployment{ObjectMeta: meta("backend"), Spec: appsv1.DeploymentSpec{Template: reader}}, set,
		podOf("backend-1-a", "apps/v1", "ReplicaSet", "backend-1"),
		podOf("backend-1-b", "apps/v1", "ReplicaSet", "backend-1"),
		&appsv1.Deployment{ObjectMeta: meta("idle"), Spec: appsv1.DeploymentSpec{Template: reader}},
		&appsv1.Deployment{ObjectMeta: meta("other"), Spec: appsv1.DeploymentSpec{Template: other}},
		&appsv1.Deployment{ObjectMeta: meta("left"), Spec: appsv1.DeploymentSpec{Template: other}},
		&appsv1.ReplicaSet{ObjectMeta: func() metav1.ObjectMeta {
			m := meta("left-1")
			m.OwnerReferences = ownedBy("apps/v1", "Deployment", "left")
			return m
		}()},
		podOf("left-1-a", "apps/v1", "ReplicaSet", "left-1"),
		&appsv1.StatefulSet{ObjectMeta: meta("postgresql"), Spec: appsv1.StatefulSetSpec{Template: reader}},
		podOf("postgresql-0", "apps/v1", "StatefulSet", "postgresql"),
		&appsv1.DaemonSet{ObjectMeta: meta("agent"), Spec: appsv1.DaemonSetSpec{Template: reader}},
		podOf("agent-a", "apps/v1", "DaemonSet", "agent"),
		&batchv1.CronJob{ObjectMeta: meta("report"), Spec: batchv1.CronJobSpec{JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: reader}}}},
		podOf("report-1-a", "batch/v1", "Job", "report-1"),
		&appsv1.ReplicaSet{ObjectMeta: meta("single"), Spec: appsv1.ReplicaSetSpec{Template: reader}},
		podOf("single-a", "apps/v1", "ReplicaSet", "single"),
		podOf("single-b", "apps/v1", "ReplicaSet", "single"),
		rollout, podOf("canary-1-a", "apps/v1", "ReplicaSet", "canary-1"),
		podOf("orphan-a", "apps/v1", "ReplicaSet", "gone"),
		podOf("debug", "", "", ""),
		podOf("cluster-1", "postgresql.cnpg.io/v1", "Cluster", "cluster"),
	}
}

// shape is what a survey says of a workload, without what its status would say.
type shape struct {
	Fixed   bool
	Edition int
	Pods    []string
}

func shapes(all []rotation.Workload) map[string]shape {
	found := map[string]shape{}
	for _, w := range all {
		s := shape{Fixed: w.Fixed, Edition: w.Edition}
		for _, p := range w.Pods {
			s.Pods = append(s.Pods, p.Name)
		}
		found[w.Name] = s
	}
	return found
}

func TestWorkloads(t *testing.T) {
	client := fake.NewClientset(world()...)
	c := &Consumers{Client: client, Namespace: "default", Secret: secret, Keep: []string{"statefulset/postgresql"}}
	all, err := c.Workloads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]shape{
		"deployment/backend": {Edition: 3, Pods: []string{"backend-1-a", "backend-1-b"}},
		"deployment/idle":    {Edition: 3},
		"deployment/left":    {Pods: []string{"left-1-a"}},
		"daemonset/agent":    {Edition: 3, Pods: []string{"agent-a"}},
		"cronjob/report":     {Edition: 3},
		"job/report-1":       {Fixed: true, Pods: []string{"report-1-a"}},
		"replicaset/single":  {Edition: 3, Pods: []string{"single-a", "single-b"}},
		"rollout/canary":     {Fixed: true, Pods: []string{"canary-1-a"}},
		"replicaset/gone":    {Fixed: true, Pods: []string{"orphan-a"}},
		"pod/debug":          {Fixed: true, Pods: []string{"debug"}},
		"cluster/cluster":    {Fixed: true, Pods: []string{"cluster-1"}},
	}
	if diff := cmp.Diff(want, shapes(all)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	again, err := c.Workloads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all, again); diff != "" {
		t.Errorf("a second look differs (-first +second):\n%s", diff)
	}
	if n := gets(client, "replicasets"); n != 7 {
		t.Errorf("replicasets were read %d times in two looks, want 5, and then the 2 that nothing is known to control", n)
	}
}

func gets(client *fake.Clientset, resource string) (n int) {
	for _, a := range client.Actions() {
		if a.Matches("get", resource) {
			n++
		}
	}
	return n
}

func TestKept(t *testing.T) {
	c := &Consumers{Client: fake.NewClientset(world()...), Namespace: "default", Secret: secret, Keep: []string{"statefulset/postgresql"}}
	kept, err := c.Kept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != 1 || kept[0].Name != "statefulset/postgresql" || !slices.Equal(kept[0].Containers, []string{"app"}) || len(kept[0].Pods) != 1 {
		t.Errorf("kept is %+v, want the StatefulSet with its pod and container", kept)
	}
}

func TestNobodyReadsIt(t *testing.T) {
	c := &Consumers{Client: fake.NewClientset(world()...), Namespace: "default", Secret: "unheard-of"}
	notes, asks, err := c.Preflight(t.Context())
	if err != nil || len(notes) != 1 || len(asks) != 0 {
		t.Errorf("the notes are %q (%v), want one that nobody reads it", notes, err)
	}
}

func TestForbidden(t *testing.T) {
	for _, resource := range []string{"deployments", "statefulsets", "daemonsets", "cronjobs", "pods", "replicasets"} {
		client := fake.NewClientset(world()...)
		client.PrependReactor("*", resource, func(kubetesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no"))
		})
		c := &Consumers{Client: client, Namespace: "default", Secret: secret}
		_, err := c.Workloads(t.Context())
		if !apierrors.IsForbidden(err) || rotation.Hint(err) == "" {
			t.Errorf("%s: %v, want it forbidden, with a hint", resource, err)
		}
	}
}

func TestNodesDown(t *testing.T) {
	silent := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-0"}, Status: corev1.NodeStatus{
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown}},
	}}
	ill := silent.DeepCopy()
	ill.Status.Conditions[0].Status = corev1.ConditionFalse
	forbid := func(client *fake.Clientset) {
		client.PrependReactor("get", "nodes", func(kubetesting.Action) (bool, runtime.Object, error) {
			return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "nodes"}, "", errors.New("no"))
		})
	}
	for _, c := range []struct {
		name  string
		node  []runtime.Object
		setup func(*fake.Clientset)
		pod   *corev1.Pod
		want  bool
		asks  int
	}{
		{"a pod that is well", []runtime.Object{silent}, nil, newPod(), false, 0},
		{"a silent node", []runtime.Object{silent}, nil, newPod(notReady), true, 2},
		{"a node that says it is not ready, just now", []runtime.Object{ill}, nil, newPod(notReady), false, 1},
		{"a node that is no more", nil, nil, newPod(notReady), true, 2},
		{"not permitted: asked for once", []runtime.Object{silent}, forbid, newPod(notReady), false, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.pod.Namespace = "default"
			client := fake.NewClientset(append(c.node, c.pod)...)
			if c.setup != nil {
				c.setup(client)
			}
			consumers := &Consumers{Client: client, Namespace: "default", Secret: secret}
			for range 2 {
				all, err := consumers.Workloads(t.Context())
				if err != nil || len(all) != 1 {
					t.Fatalf("the workloads are %v (%v)", all, err)
				}
				if got := all[0].Pods[0].Unreachable; got != c.want {
					t.Errorf("unreachable is %v, want %v", got, c.want)
				}
			}
			if n := gets(client, "nodes"); n != c.asks {
				t.Errorf("nodes were asked for %d times, want %d", n, c.asks)
			}
		})
	}
}

func TestRelabel(t *testing.T) {
	c := &Consumers{Secret: secret}
	for _, test := range []struct {
		kind string
		n    int
		want string
	}{
		{"deployment", 3, `{"metadata":{"resourceVersion":"7"},"spec":{"template":{"metadata":{"labels":{"kubectl-rotate/postgresql-credentials":"3"}}}}}`},
		{"deployment", 0, `{"metadata":{"resourceVersion":"7"},"spec":{"template":{"metadata":{"labels":{"kubectl-rotate/postgresql-credentials":null}}}}}`},
		{"cronjob", 3, `{"metadata":{"resourceVersion":"7"},"spec":{"jobTemplate":{"spec":{"template":{"metadata":{"labels":{"kubectl-rotate/postgresql-credentials":"3"}}}}}}}`},
	} {
		got, err := json.Marshal(c.relabel(test.kind, "7", test.n))
		if err != nil || string(got) != test.want {
			t.Errorf("%s to %d: %s (%v), want %s", test.kind, test.n, got, err, test.want)
		}
	}
}

func TestRules(t *testing.T) {
	named := Rules([]string{"deployment/backend", "deployment/worker", "cronjob/report", "job/report-1"})
	patches := map[string][]string{}
	for _, r := range named {
		if slices.Contains(r.Verbs, "patch") {
			patches[r.Resources[0]] = r.ResourceNames
		}
	}
	want := map[string][]string{"deployments": {"backend", "worker"}, "cronjobs": {"report"}}
	if diff := cmp.Diff(want, patches); diff != "" {
		t.Errorf("what may be patched (-want +got):\n%s", diff)
	}
}
