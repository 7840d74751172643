package workload

import (
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{Label(secret): "3"}},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{
			Name: "app", EnvFrom: envFrom(secret), ReadinessProbe: &corev1.Probe{},
		}}},
	}
}

// deployment is one of two replicas that has settled, with changes made.
func deployment(changes ...func(*appsv1.Deployment)) controller {
	two := int32(2)
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "backend", Generation: 5, CreationTimestamp: after(0)},
		Spec:       appsv1.DeploymentSpec{Replicas: &two, Template: template()},
		Status:     appsv1.DeploymentStatus{ObservedGeneration: 5, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2},
	}
	for _, change := range changes {
		change(d)
	}
	return fromDeployment(d)
}

func statefulSet(changes ...func(*appsv1.StatefulSet)) controller {
	two := int32(2)
	s := &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "worker", Generation: 5},
		Spec:       appsv1.StatefulSetSpec{Replicas: &two, Template: template()},
		Status:     appsv1.StatefulSetStatus{ObservedGeneration: 5, Replicas: 2, AvailableReplicas: 2, CurrentRevision: "b", UpdateRevision: "b"},
	}
	for _, change := range changes {
		change(s)
	}
	return fromStatefulSet(s)
}

func daemonSet(changes ...func(*appsv1.DaemonSet)) controller {
	d := &appsv1.DaemonSet{
		ObjectMeta: metav1.ObjectMeta{Name: "agent", Generation: 5},
		Spec:       appsv1.DaemonSetSpec{Template: template()},
		Status:     appsv1.DaemonSetStatus{ObservedGeneration: 5, DesiredNumberScheduled: 2, UpdatedNumberScheduled: 2, NumberAvailable: 2},
	}
	for _, change := range changes {
		change(d)
	}
	return fromDaemonSet(d, Label(secret))
}

func bare(changes ...func(*appsv1.ReplicaSet)) controller {
	r := &appsv1.ReplicaSet{
		ObjectMeta: metav1.ObjectMeta{Name: "single"}, Spec: appsv1.ReplicaSetSpec{Template: template()},
		Status: appsv1.ReplicaSetStatus{Replicas: 1, AvailableReplicas: 1},
	}
	for _, change := range changes {
		change(r)
	}
	return fromReplicaSet(r)
}

func revision(r string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels[appsv1.StatefulSetRevisionLabel] = r }
}

func edition(n string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Labels[Label(secret)] = n }
}

func onNode(name string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.NodeName = name }
}

func TestSettled(t *testing.T) {
	type pods []*corev1.Pod
	gone := onNode("down")
	for _, c := range []struct {
		name    string
		c       controller
		pods    pods
		want    bool
		desired int
	}{
		{"a Deployment", deployment(), pods{newPod(), newPod()}, true, 2},
		{"with one replica by default", deployment(func(d *appsv1.Deployment) {
			d.Spec.Replicas, d.Status = nil, appsv1.DeploymentStatus{ObservedGeneration: 5, Replicas: 1, UpdatedReplicas: 1, AvailableReplicas: 1}
		}), pods{newPod()}, true, 1},
		{"not seen yet", deployment(func(d *appsv1.Deployment) { d.Generation++ }), pods{newPod()}, false, 2},
		{"not all new", deployment(func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 }), pods{newPod()}, false, 2},
		{"an old one more", deployment(func(d *appsv1.Deployment) { d.Status.Replicas = 3 }), pods{newPod()}, false, 2},
		{"not all available", deployment(func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 }), pods{newPod()}, false, 2},
		{"a terminating pod", deployment(), pods{newPod(), newPod(terminating(0))}, false, 2},
		{"a terminating pod on a node that is down", deployment(), pods{newPod(), newPod(terminating(0), gone)}, true, 2},

		{"a StatefulSet", statefulSet(), pods{newPod(revision("b")), newPod(revision("b"))}, true, 2},
		{"a StatefulSet not seen yet", statefulSet(func(s *appsv1.StatefulSet) { s.Generation++ }), pods{newPod(revision("b"))}, false, 2},
		{"old pods below a partition", statefulSet(func(s *appsv1.StatefulSet) { s.Status.CurrentRevision = "a" }), pods{newPod(revision("a")), newPod(revision("b"))}, false, 2},
		{"old pods under OnDelete", statefulSet(), pods{newPod(revision("a")), newPod(revision("b"))}, false, 2},
		{"one not available", statefulSet(func(s *appsv1.StatefulSet) { s.Status.AvailableReplicas = 1 }), pods{newPod(revision("b"))}, false, 2},
		{"one too many", statefulSet(func(s *appsv1.StatefulSet) { s.Status.Replicas = 3 }), pods{newPod(revision("b"))}, false, 2},
		{"a StatefulSet with a pod on a node that is down", statefulSet(func(s *appsv1.StatefulSet) { s.Status.AvailableReplicas = 1 }),
			pods{newPod(revision("b")), newPod(revision("a"), terminating(0), gone)}, true, 1},

		{"a DaemonSet", daemonSet(), pods{newPod(), newPod()}, true, 2},
		{"a DaemonSet not seen yet", daemonSet(func(d *appsv1.DaemonSet) { d.Generation++ }), pods{newPod()}, false, 2},
		{"not all of a DaemonSet new", daemonSet(func(d *appsv1.DaemonSet) { d.Status.UpdatedNumberScheduled = 1 }), pods{newPod()}, false, 2},
		{"not all of a DaemonSet available", daemonSet(func(d *appsv1.DaemonSet) { d.Status.NumberAvailable = 1 }), pods{newPod()}, false, 2},
		{"an old pod of a DaemonSet on a node that is down", daemonSet(func(d *appsv1.DaemonSet) { d.Status.UpdatedNumberScheduled, d.Status.NumberAvailable = 1, 1 }),
			pods{newPod(), newPod(edition("2"), gone)}, true, 1},
		{"a new pod on a node that is down, an old one elsewhere", daemonSet(func(d *appsv1.DaemonSet) { d.Status.UpdatedNumberScheduled, d.Status.NumberAvailable = 1, 1 }),
			pods{newPod(edition("2")), newPod(gone)}, false, 1},

		{"a bare ReplicaSet with an old pod: it does nothing about that", bare(), pods{newPod(edition("2"))}, true, 1},
		{"a bare ReplicaSet that makes a pod", bare(func(r *appsv1.ReplicaSet) { r.Status.AvailableReplicas = 0 }), pods{newPod()}, false, 1},
		{"a bare ReplicaSet not seen yet", bare(func(r *appsv1.ReplicaSet) { r.Generation = 1 }), pods{newPod()}, false, 1},
		{"a Job", other(&metav1.OwnerReference{Kind: "Job", Name: "import"}), pods{newPod(notReady)}, true, 0},
		{"a pod alone", alone(newPod()), pods{newPod(terminating(0))}, true, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := moment{secrets: []string{secret}, label: Label(secret), now: start, down: map[string]bool{"down": true}}
			w := m.workload(&group{controller: c.c, pods: c.pods})
			if w.Settled != c.want || w.Desired != c.desired {
				t.Errorf("settled is %v with %d desired, want %v with %d", w.Settled, w.Desired, c.want, c.desired)
			}
		})
	}
}

func TestFailed(t *testing.T) {
	stuck := func(d *appsv1.Deployment) {
		d.Status.AvailableReplicas = 1
		d.Status.Conditions = []appsv1.DeploymentCondition{
			{Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded"},
			{Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota"},
		}
	}
	noImage := newPod(notReady, statuses(waiting("app", "ImagePullBackOff", "no such image")))
	for _, c := range []struct {
		name string
		c    controller
		pods []*corev1.Pod
		now  time.Duration
		want string
	}{
		{"nothing", deployment(), []*corev1.Pod{newPod()}, 0, ""},
		{"a pod has a problem, and there is time", deployment(func(d *appsv1.Deployment) { d.Status.AvailableReplicas = 1 }), []*corev1.Pod{noImage}, time.Hour, ""},
		{"out of time", deployment(stuck), []*corev1.Pod{noImage, newPod()}, 0,
			"ProgressDeadlineExceeded: FailedCreate: exceeded quota; pod/backend-1: ImagePullBackOff: no such image"},
		{"out of time with the template before", deployment(stuck, func(d *appsv1.Deployment) { d.Generation++ }), []*corev1.Pod{noImage}, 0, ""},
		{"many pods", deployment(stuck), []*corev1.Pod{noImage, noImage, noImage, noImage, noImage}, 0, "; and more"},
		{"a StatefulSet has time", statefulSet(func(s *appsv1.StatefulSet) { s.Status.AvailableReplicas = 1 }), []*corev1.Pod{noImage}, 9 * time.Minute, ""},
		{"a StatefulSet out of time", statefulSet(func(s *appsv1.StatefulSet) { s.Status.AvailableReplicas = 1 }), []*corev1.Pod{noImage}, 11 * time.Minute,
			"not ready after 11m; pod/backend-1: ImagePullBackOff: no such image"},
		{"a Job never fails a rollout", other(&metav1.OwnerReference{Kind: "Job", Name: "import"}), []*corev1.Pod{noImage}, time.Hour, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := moment{secrets: []string{secret}, label: Label(secret), now: start.Add(c.now)}.workload(&group{controller: c.c, pods: c.pods})
			if c.want == "" && w.Failed != "" || !strings.HasSuffix(w.Failed, c.want) {
				t.Errorf("failed is %q, want %q", w.Failed, c.want)
			}
		})
	}
}

func TestRemarks(t *testing.T) {
	zero, one, yes := intstr.FromInt32(0), int32(1), true
	unprobed := template()
	unprobed.Spec.Containers[0].ReadinessProbe = nil
	for _, c := range []struct {
		name string
		c    controller
		want string // in one remark; "" for none at all
	}{
		{"nothing", deployment(), ""},
		{"Recreate", deployment(func(d *appsv1.Deployment) { d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType }), "Recreate"},
		{"one replica, no surge", deployment(func(d *appsv1.Deployment) {
			d.Spec.Replicas, d.Spec.Strategy.RollingUpdate = &one, &appsv1.RollingUpdateDeployment{MaxSurge: &zero}
		}), "maxSurge 0"},
		{"one replica and the default surge", deployment(func(d *appsv1.Deployment) { d.Spec.Replicas = &one }), ""},
		{"two replicas, no surge", deployment(func(d *appsv1.Deployment) {
			d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: &zero}
		}), ""},
		{"paused", deployment(func(d *appsv1.Deployment) { d.Spec.Paused = true }), "paused"},
		{"no probe", deployment(func(d *appsv1.Deployment) { d.Spec.Template = unprobed }), "readiness probe"},
		{"Reloader, by name", deployment(func(d *appsv1.Deployment) {
			d.Annotations = map[string]string{"secret.reloader.stakater.com/reload": "other, " + secret}
		}), "Reloader"},
		{"Reloader, of another Secret", deployment(func(d *appsv1.Deployment) {
			d.Annotations = map[string]string{"secret.reloader.stakater.com/reload": "other"}
		}), ""},
		{"Reloader, by itself", deployment(func(d *appsv1.Deployment) {
			d.Spec.Template.Annotations = map[string]string{"reloader.stakater.com/auto": "true"}
		}), "Reloader"},
		{"an operator's", deployment(func(d *appsv1.Deployment) {
			d.OwnerReferences = []metav1.OwnerReference{{Kind: "Backend", Name: "b", Controller: &yes}}
		}), "Backend b"},
		{"OnDelete", statefulSet(func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType }), "OnDelete"},
		{"a partition", statefulSet(func(s *appsv1.StatefulSet) {
			s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: &one}
		}), "partition 1"},
		{"a StatefulSet of one", statefulSet(func(s *appsv1.StatefulSet) { s.Spec.Replicas = &one }), "one replica"},
		{"a StatefulSet", statefulSet(), ""},
		{"a DaemonSet", daemonSet(), ""},
		{"a DaemonSet with OnDelete", daemonSet(func(d *appsv1.DaemonSet) { d.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType }), "OnDelete"},
		{"a bare ReplicaSet", bare(), "one by one"},
		{"a Job", other(&metav1.OwnerReference{Kind: "Job", Name: "import"}), "not moved"},
		{"a pod alone", alone(newPod()), "waits until it is gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := slices.Concat(c.c.remarks, c.c.asks, templateAsks(&group{controller: c.c}, []string{secret}))
			if c.want == "" && len(got) > 0 || c.want != "" && (len(got) != 1 || !strings.Contains(got[0], c.want)) {
				t.Errorf("the remarks are %q, want %q", got, c.want)
			}
		})
	}
}
