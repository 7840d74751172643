package workload

import (
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// Whoever may make pods may name any controller as theirs. A pod counts as a controller's only where that selects it: else it could pass
// for one of the server's own, which no rotation waits for.
func TestAPodThatNamesAControllerOfOthers(t *testing.T) {
	labelled := func(p *corev1.Pod, app string) *corev1.Pod {
		p.Labels = map[string]string{"app": app}
		return p
	}
	set := &appsv1.ReplicaSet{ObjectMeta: meta("backend-1"), Spec: appsv1.ReplicaSetSpec{Template: template(), Selector: by("app", "backend", "pod-template-hash", "1")}}
	set.OwnerReferences = ownedBy("apps/v1", "Deployment", "backend")
	client := fake.NewClientset(
		&appsv1.Deployment{ObjectMeta: meta("backend"), Spec: appsv1.DeploymentSpec{Template: template(), Selector: by("app", "backend")}}, set,
		&appsv1.StatefulSet{ObjectMeta: meta("postgresql"), Spec: appsv1.StatefulSetSpec{Template: template(), Selector: by("app", "postgresql")}},
		&appsv1.DaemonSet{ObjectMeta: meta("agent"), Spec: appsv1.DaemonSetSpec{Template: template(), Selector: by("app", "agent")}},
		&appsv1.ReplicaSet{ObjectMeta: meta("single"), Spec: appsv1.ReplicaSetSpec{Template: template(), Selector: by("app", "single")}},
		labelled(podOf("backend-1-a", "apps/v1", "ReplicaSet", "backend-1"), "backend"),
		labelled(podOf("postgresql-0", "apps/v1", "StatefulSet", "postgresql"), "postgresql"),
		labelled(podOf("agent-a", "apps/v1", "DaemonSet", "agent"), "agent"),
		labelled(podOf("single-a", "apps/v1", "ReplicaSet", "single"), "single"),
		labelled(podOf("of-the-server", "apps/v1", "StatefulSet", "postgresql"), "postgresql"),      // no name of its
		labelled(podOf("postgresql-1x", "apps/v1", "StatefulSet", "postgresql"), "postgresql"),      // nor this
		labelled(podOf("postgresql-7", "apps/v1", "StatefulSet", "postgresql"), "thief"),            // not selected
		labelled(podOf("of-the-set", "apps/v1", "ReplicaSet", "backend-1"), "thief"),                // nor this
		labelled(podOf("of-the-deployment", "apps/v1", "Deployment", "backend"), "thief"),           // nor this
		labelled(podOf("of-the-agent", "apps/v1", "DaemonSet", "agent"), "thief"),                   // nor this
		labelled(podOf("of-the-single-set", "apps/v1", "ReplicaSet", "single"), "thief"),            // nor this
		labelled(podOf("of-what-is-not-there", "apps/v1", "StatefulSet", "statefulset"), "backend"), // gone, or never there
	)
	c := &Consumers{Client: client, Namespace: "default", Secret: secret, Keep: []string{"statefulset/postgresql"}}
	all, err := c.Workloads(t.Context())
	must(t, err)
	got := shapes(all)
	for name, pod := range map[string]string{
		"deployment/backend": "backend-1-a", "daemonset/agent": "agent-a", "replicaset/single": "single-a",
		"pod/of-the-server": "of-the-server", "pod/postgresql-1x": "postgresql-1x", "pod/postgresql-7": "postgresql-7", "pod/of-the-set": "of-the-set",
		"pod/of-the-deployment": "of-the-deployment", "pod/of-the-agent": "of-the-agent", "pod/of-the-single-set": "of-the-single-set",
		"pod/of-what-is-not-there": "of-what-is-not-there",
	} {
		if !slices.Equal(got[name].Pods, []string{pod}) || strings.HasPrefix(name, "pod/") && !got[name].Fixed {
			t.Errorf("%s: %+v, want the pod %s", name, got[name], pod)
		}
	}
	if len(got) != 11 {
		t.Errorf("got %v", slices.Sorted(maps.Keys(got)))
	}
	kept, err := c.Kept(t.Context())
	must(t, err)
	if len(kept) != 1 || len(kept[0].Pods) != 1 || kept[0].Pods[0].Name != "postgresql-0" {
		t.Errorf("kept: %+v", kept)
	}
	notes, _, err := c.Preflight(t.Context())
	must(t, err)
	if text := strings.Join(notes, "\n"); !strings.Contains(text, "it names statefulset/postgresql as its controller, and statefulset/postgresql does not select it") {
		t.Errorf("not said: %s", text)
	}
}
