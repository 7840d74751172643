package workload

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// overdue is how long after its time to end a pod may still be there before its node counts as unreachable: a kubelet
// that runs kills what is left when that time is over.
const overdue = time.Minute

// reasonNodeLost is the reason that Kubernetes gave pods of a node that was down, up to 1.27 or so.
const reasonNodeLost = "NodeLost"

// moment is what pods are looked at with: the Secret, the time, and what had to be asked for apart.
type moment struct {
	secrets []string
	label   string
	now     time.Time
	down    map[string]bool  // the nodes that have stopped reporting
	words   map[crash]string // the last words of containers that crashed
}

// pod is p for the domain.
func (m moment) pod(p *corev1.Pod) rotation.Pod {
	r := reads(&p.Spec, m.secrets...)
	pod := rotation.Pod{
		Name:        p.Name,
		Edition:     editionIn(p.Labels, m.label),
		Created:     p.CreationTimestamp.Time,
		Started:     starts(p, r.containers),
		Reloads:     r.reloads,
		Ready:       isReady(p),
		Terminating: p.DeletionTimestamp != nil,
		Unreachable: m.unreachable(p),
	}
	if !p.Spec.HostNetwork {
		for _, ip := range p.Status.PodIPs {
			pod.Addresses = append(pod.Addresses, ip.IP)
		}
	}
	if !pod.Ready && !pod.Terminating {
		pod.Problem = m.problem(p)
	}
	return pod
}

// isLive says whether containers of p may run, now or later.
func isLive(p *corev1.Pod) bool {
	if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return false
	}
	return p.DeletionTimestamp == nil || !ended(p)
}

// ended says whether the kubelet has reported the end of every container of p: what is left is the object.
func ended(p *corev1.Pod) bool {
	all := slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses)
	return len(p.Status.ContainerStatuses) > 0 && !slices.ContainsFunc(all, func(s corev1.ContainerStatus) bool {
		return s.State.Terminated == nil
	})
}

func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// unreachable says whether what p's containers do can't be known.
func (m moment) unreachable(p *corev1.Pod) bool {
	late := p.DeletionTimestamp != nil && p.Spec.NodeName != "" && m.now.Sub(p.DeletionTimestamp.Time) > overdue
	return late || m.down[p.Spec.NodeName] || p.Status.Reason == reasonNodeLost
}

// doubtful says whether p's node has to be asked for.
func doubtful(p *corev1.Pod) bool {
	return p.Spec.NodeName != "" && (!isReady(p) || p.DeletionTimestamp != nil)
}

// starts are the last starts of the named containers, or of all if none is named; none at all while one of them has
// yet to start, for the first time or again: what that one will read is not known.
func starts(p *corev1.Pod, names []string) (at []time.Time) {
	for _, c := range podrefs.Containers(&p.Spec) {
		if len(names) > 0 && !slices.Contains(names, c.Name) {
			continue
		}
		t := startOf(p, c)
		if t.IsZero() {
			return nil
		}
		at = append(at, t)
	}
	return at
}

// startOf is when c started for good, zero while it has yet to.
func startOf(p *corev1.Pod, c corev1.Container) time.Time {
	state := statusOf(p, c.Name).State
	switch {
	case state.Running != nil:
		return state.Running.StartedAt.Time
	case state.Terminated != nil && (p.DeletionTimestamp != nil || stays(p, c, state.Terminated.ExitCode)):
		return state.Terminated.StartedAt.Time
	}
	return time.Time{}
}

// statusOf is the status of the container of the given name; a zero one until the kubelet has reported it.
func statusOf(p *corev1.Pod, name string) corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses, p.Status.EphemeralContainerStatuses} {
		for _, s := range list {
			if s.Name == name {
				return s
			}
		}
	}
	return corev1.ContainerStatus{}
}

// stays says whether c, which has ended with code, is not started again.
func stays(p *corev1.Pod, c corev1.Container, code int32) bool {
	if slices.ContainsFunc(p.Spec.EphemeralContainers, func(e corev1.EphemeralContainer) bool { return e.Name == c.Name }) {
		return true
	}
	policy := p.Spec.RestartPolicy
	if slices.ContainsFunc(p.Spec.InitContainers, func(i corev1.Container) bool { return i.Name == c.Name }) && policy == corev1.RestartPolicyAlways {
		policy = corev1.RestartPolicyOnFailure // an init container that is done is done
	}
	if c.RestartPolicy != nil {
		policy = corev1.RestartPolicy(*c.RestartPolicy)
	}
	return policy == corev1.RestartPolicyNever || policy == corev1.RestartPolicyOnFailure && code == 0
}
