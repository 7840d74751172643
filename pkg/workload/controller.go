package workload

import (
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
)

// controller is what makes pods, whatever its kind.
type controller struct {
	kind, name string
	uid        types.UID
	created    time.Time
	// annotations are its own, not its template's.
	annotations map[string]string
	// template is nil where there is none, or none that we know how to change.
	template *corev1.PodTemplateSpec
	// selector is how it selects its pods; nil where it is not known.
	selector labels.Selector
	desired  int
	// bound: each of its pods has a place of its own, so that one on a node that is down is not made elsewhere.
	bound bool
	// observed: its status is about its present template.
	observed bool
	// through says whether, by its status, all pods but as many as are missing are of its template and available.
	through func(missing int) bool
	// current says whether a pod is of its template; nil where through says it, or nothing replaces pods.
	current func(*corev1.Pod) bool
	// slow: it has no deadline of its own for a rollout.
	slow bool
	// verdict is why its rollout can't go on, by its own word.
	verdict string
	// held is why it does not replace old pods for as long as nobody does something about it; "" where it does.
	held string
	// asks are what an operator has to agree to before it is moved, remarks what he should know.
	asks, remarks []string
}

// id is "deployment/backend".
func (c controller) id() string { return c.kind + "/" + c.name }

func described(kind string, m metav1.ObjectMeta, template *corev1.PodTemplateSpec) controller {
	return controller{
		kind: kind, name: m.Name, uid: m.UID, created: m.CreationTimestamp.Time,
		annotations: m.Annotations, template: template, remarks: commonRemarks(&m),
		observed: true, through: func(int) bool { return true },
	}
}

func fromDeployment(d *appsv1.Deployment) controller {
	c := described("deployment", d.ObjectMeta, &d.Spec.Template)
	c.selector = parsed(d.Spec.Selector)
	want, status := replicas(d.Spec.Replicas), d.Status
	c.desired = int(want)
	c.observed = status.ObservedGeneration >= d.Generation
	c.through = func(int) bool {
		return status.UpdatedReplicas == want && status.Replicas == want && status.AvailableReplicas == want
	}
	c.verdict = deploymentVerdict(status.Conditions)
	c.held, c.asks = deploymentHold(d), deploymentAsks(d)
	return c
}

// deploymentVerdict is set once the progress deadline has run out. The Deployment goes on trying, and nothing rolls back.
func deploymentVerdict(conditions []appsv1.DeploymentCondition) (verdict string) {
	for _, cond := range conditions {
		if cond.Type == appsv1.DeploymentProgressing && cond.Status == corev1.ConditionFalse {
			verdict = cond.Reason
		}
	}
	for _, cond := range conditions {
		if cond.Type == appsv1.DeploymentReplicaFailure && cond.Status == corev1.ConditionTrue && verdict != "" {
			verdict += fmt.Sprintf(": %s: %s", cond.Reason, oneLine(cond.Message))
		}
	}
	return verdict
}

func fromStatefulSet(s *appsv1.StatefulSet) controller {
	c := described("statefulset", s.ObjectMeta, &s.Spec.Template)
	c.selector = parsed(s.Spec.Selector)
	want, status := replicas(s.Spec.Replicas), s.Status
	c.desired, c.bound, c.slow = int(want), true, true
	c.observed = status.ObservedGeneration >= s.Generation
	c.through = func(missing int) bool {
		return status.Replicas <= want && status.AvailableReplicas >= want-int32(missing)
	}
	// By its status a StatefulSet is through with old pods below the partition, and with all of them under OnDelete.
	c.current = func(p *corev1.Pod) bool { return p.Labels[appsv1.StatefulSetRevisionLabel] == status.UpdateRevision }
	c.held, c.asks = statefulSetHold(s), statefulSetAsks(s)
	return c
}

func fromDaemonSet(d *appsv1.DaemonSet, label string) controller {
	c := described("daemonset", d.ObjectMeta, &d.Spec.Template)
	c.selector = parsed(d.Spec.Selector)
	want, status := d.Status.DesiredNumberScheduled, d.Status
	c.desired, c.bound, c.slow = int(want), true, true
	c.observed = status.ObservedGeneration >= d.Generation
	c.through = func(missing int) bool {
		left := want - int32(missing)
		return status.UpdatedNumberScheduled >= left && status.NumberAvailable >= left
	}
	// The counts include the pods that are missing: which of the others are old, the label says.
	n := editionIn(d.Spec.Template.Labels, label)
	c.current = func(p *corev1.Pod) bool { return editionIn(p.Labels, label) == n }
	c.held = daemonSetHold(d)
	return c
}

// fromReplicaSet is a ReplicaSet that nothing controls. It never replaces a pod by itself, so it has settled
// as soon as it has its number; the pods that are old are replaced one by one.
func fromReplicaSet(r *appsv1.ReplicaSet) controller {
	c := described("replicaset", r.ObjectMeta, &r.Spec.Template)
	c.selector = parsed(r.Spec.Selector)
	want, status := replicas(r.Spec.Replicas), r.Status
	c.desired = int(want)
	c.observed = status.ObservedGeneration >= r.Generation
	c.through = func(int) bool { return status.Replicas == want && status.AvailableReplicas == want }
	c.remarks = append(c.remarks, "it never replaces a pod by itself: its pods are evicted one by one")
	return c
}

// fromCronJob is a template without pods: each run of it is a Job, a workload of its own.
func fromCronJob(j *batchv1.CronJob) controller {
	c := described("cronjob", j.ObjectMeta, &j.Spec.JobTemplate.Spec.Template)
	return c
}

// other is a controller whose template we can't change, known by the reference of its pods: a Job, or a kind that is
// not of Kubernetes itself.
func other(ref *metav1.OwnerReference) controller {
	c := described(strings.ToLower(ref.Kind), metav1.ObjectMeta{Name: ref.Name, UID: ref.UID}, nil)
	c.remarks = append(c.remarks, "it is not moved: the rotation waits until its pods have ended or been replaced")
	return c
}

// alone is a pod that nothing controls.
func alone(p *corev1.Pod) controller {
	c := described("pod", p.ObjectMeta, nil)
	c.remarks = append(c.remarks, "nothing would make it again: the rotation waits until it is gone")
	return c
}

// stray is a pod that names a controller which does not select it. Whoever may make pods may name any controller, so the pod counts
// as one that nothing controls.
func stray(p *corev1.Pod, of controller) controller {
	c := alone(p)
	c.remarks = append(c.remarks, fmt.Sprintf("it names %s as its controller, and %s does not select it", of.id(), of.id()))
	return c
}

// owns says whether a pod that names c as its controller is one of c's pods. c itself lets go of any other.
func (c controller) owns(p *corev1.Pod) bool { return podrefs.MadeBy(p, c.kind, c.name, c.selector) }

// parsed is a selector as the API server has checked it; nil where it cannot be read.
func parsed(s *metav1.LabelSelector) labels.Selector {
	if s == nil {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		return nil
	}
	return selector
}

// replicas is a number of replicas with its default.
func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}
