package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// podError says that the pod itself is what is wrong: no way leads to it.
type podError struct{ error }

func (e podError) Unwrap() error { return e.error }

// explain says why a dial through one of the pod's subresources failed, in the order in which a reader can do
// something about it: the time was up, the pod is not there or not running, a permission is missing, the API server
// can't be reached.
func (d *Dialer) explain(ctx context.Context, subresource string, err error) error {
	if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) {
		return unavailable(fmt.Errorf("no answer by way of %s: %w", d.Clients.where(), err))
	}
	if apierrors.IsUnauthorized(err) {
		return d.Clients.Explain(err)
	}
	if problem := d.podProblem(ctx); problem != nil {
		return problem
	}
	if apierrors.IsForbidden(err) {
		p := Permission{Verb: "create", Resource: "pods", Subresource: subresource, Namespace: d.Namespace}
		return rotation.WithHint(fmt.Errorf("not allowed to %s: %w", p, err),
			"`kubectl rotate rbac` prints the Role that allows it; --via chooses another way")
	}
	if backendProblem(err) {
		return unavailable(err)
	}
	return d.Clients.explainTransport(err)
}

// backendProblem says whether the API server could not get through to the node, or has no time.
func backendProblem(err error) bool {
	return apierrors.IsInternalError(err) || apierrors.IsServiceUnavailable(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err)
}

// podProblem looks at the pod: is it there, is it running, does it have the container? It is nil too if that can't be
// seen, as by a user who may not get pods.
func (d *Dialer) podProblem(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	pod, err := d.Clients.Kube.CoreV1().Pods(d.Namespace).Get(ctx, d.Pod, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return podError{fmt.Errorf("pod %s does not exist: %w", d.pod(), err)}
	case err != nil:
		return nil
	case pod.Status.Phase != corev1.PodRunning:
		return podError{unavailable(fmt.Errorf("pod %s is %s, not Running%s", d.pod(), pod.Status.Phase, waitingFor(pod, "")))}
	case d.Container != "":
		return d.containerProblem(pod)
	}
	return nil
}

func (d *Dialer) containerProblem(pod *corev1.Pod) error {
	if container(pod, d.Container) == nil {
		return podError{rotation.WithHint(
			fmt.Errorf("pod %s has no container %q", d.pod(), d.Container),
			"its containers: "+strings.Join(containerNames(pod), ", "))}
	}
	if waiting := waitingFor(pod, d.Container); waiting != "" {
		return podError{unavailable(fmt.Errorf("container %q of pod %s is not running%s", d.Container, d.pod(), waiting))}
	}
	return nil
}

// waitingFor gives what a container, or any for "", waits for or ended of, as " (CrashLoopBackOff)".
func waitingFor(pod *corev1.Pod, name string) string {
	statuses := append(append([]corev1.ContainerStatus(nil), pod.Status.InitContainerStatuses...), pod.Status.ContainerStatuses...)
	for _, s := range statuses {
		switch {
		case name != "" && s.Name != name:
		case s.State.Waiting != nil && s.State.Waiting.Reason != "":
			return " (" + s.State.Waiting.Reason + ")"
		case name != "" && s.State.Terminated != nil:
			return " (" + s.State.Terminated.Reason + ")"
		}
	}
	return ""
}

// container finds a container of pod by name, init containers (sidecars among them) last.
func container(pod *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

func containerNames(pod *corev1.Pod) []string {
	var names []string
	for _, c := range append(append([]corev1.Container(nil), pod.Spec.Containers...), pod.Spec.InitContainers...) {
		names = append(names, c.Name)
	}
	return names
}
