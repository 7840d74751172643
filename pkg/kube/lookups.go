package kube

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Selector is how a Service selects its pods. One without a selector leads elsewhere, and is an error.
func Selector(s *corev1.Service) (labels.Selector, error) {
	if len(s.Spec.Selector) == 0 {
		return nil, fmt.Errorf("service %s/%s selects no pods", s.Namespace, s.Name)
	}
	return labels.SelectorFromSet(s.Spec.Selector), nil
}

// PodsOf are the pods that a Service selects.
func (c *Clients) PodsOf(ctx context.Context, s *corev1.Service) ([]corev1.Pod, error) {
	selector, err := Selector(s)
	if err != nil {
		return nil, err
	}
	list, err := c.Kube.CoreV1().Pods(s.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
	if err != nil {
		return nil, fmt.Errorf("listing the pods of service %s/%s: %w", s.Namespace, s.Name, err)
	}
	return list.Items, nil
}

// PodsBehind are the pods that the Service of that name selects.
func (c *Clients) PodsBehind(ctx context.Context, namespace, service string) ([]corev1.Pod, error) {
	s, err := c.Kube.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading service %s/%s: %w", namespace, service, err)
	}
	return c.PodsOf(ctx, s)
}

// ReadyPodBehind is a pod that a Service leads to and that is ready.
func (c *Clients) ReadyPodBehind(ctx context.Context, namespace, service string) (string, error) {
	pods, err := c.PodsBehind(ctx, namespace, service)
	if err != nil {
		return "", err
	}
	if err := c.Owners().One(ctx, namespace, service, pods); err != nil {
		return "", err
	}
	i := slices.IndexFunc(pods, func(p corev1.Pod) bool { return Ready(&p) })
	if i < 0 {
		return "", fmt.Errorf("no pod behind service %s/%s is ready", namespace, service)
	}
	return pods[i].Name, nil
}

// One refuses pods behind a Service that are not of one controller, ready or not: else any pod with
// the Service's labels would be taken for the server. A pod that nothing makes has to be the only
// one.
func (o *Owners) One(ctx context.Context, namespace, service string, pods []corev1.Pod) error {
	var first *corev1.Pod
	for i := range pods {
		switch p := &pods[i]; {
		case Over(p):
		case first == nil:
			first = p
		default:
			same, err := o.Same(ctx, first, p)
			if err != nil {
				return err
			}
			if !same {
				return fmt.Errorf("service %s/%s leads to pods of different controllers: %s, %s", namespace, service, first.Name, p.Name)
			}
		}
	}
	return nil
}

// Named are those of a namespace's pods that a name stands for: "pod", "statefulset" or "service"
// with the name of one.
func (o *Owners) Named(ctx context.Context, namespace, kind, name string, pods []corev1.Pod) (named []corev1.Pod, err error) {
	fits := func(p *corev1.Pod) (bool, error) { return p.Name == name, nil }
	switch kind {
	case "statefulset":
		fits = func(p *corev1.Pod) (bool, error) {
			if c := metav1.GetControllerOf(p); c == nil || c.Kind != "StatefulSet" || c.Name != name || !inApps(*c) {
				return false, nil
			}
			c, err := o.Of(ctx, p)
			return c != nil, err
		}
	case "service":
		s, err := o.client.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("reading service %s/%s: %w", namespace, name, err)
		}
		chosen, err := Selector(s)
		if err != nil {
			return nil, err
		}
		fits = func(p *corev1.Pod) (bool, error) { return chosen.Matches(labels.Set(p.Labels)), nil }
	}
	for i := range pods {
		fit, err := fits(&pods[i])
		if err != nil {
			return nil, err
		}
		if fit {
			named = append(named, pods[i])
		}
	}
	if kind == "service" {
		return named, o.One(ctx, namespace, name, named)
	}
	return named, nil
}

// Siblings are a pod and the others of its controller, as they are now: first that pod, if it is still there.
func (o *Owners) Siblings(ctx context.Context, first corev1.Pod) ([]corev1.Pod, error) {
	all, err := o.client.CoreV1().Pods(first.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the pods in %s: %w", first.Namespace, err)
	}
	var pods []corev1.Pod
	for _, p := range all.Items {
		if p.Name == first.Name {
			pods = slices.Insert(pods, 0, p)
			continue
		}
		same, err := o.Same(ctx, &first, &p)
		if err != nil {
			return nil, err
		}
		if same {
			pods = append(pods, p)
		}
	}
	return pods, nil
}

// ReadKey is one value of a Secret. A key that is not there is an error.
func (c *Clients) ReadKey(ctx context.Context, namespace, secret, key string) (rotation.Secret, error) {
	s, err := c.Kube.CoreV1().Secrets(namespace).Get(ctx, secret, metav1.GetOptions{})
	if err != nil {
		return rotation.Secret{}, err
	}
	value, there := s.Data[key]
	if !there {
		return rotation.Secret{}, fmt.Errorf("secret %s/%s has no key %s", namespace, secret, key)
	}
	return rotation.NewSecret(value), nil
}

// Over says whether all containers of a pod have ended for good.
func Over(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// Ready says whether a pod serves.
func Ready(p *corev1.Pod) bool {
	return p.DeletionTimestamp == nil && slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// PortOf is the port of a pod that a port of a Service leads to; 0 for none.
func PortOf(s *corev1.Service, p *corev1.Pod, port string) int32 {
	for _, one := range s.Spec.Ports {
		if strconv.Itoa(int(one.Port)) != port {
			continue
		}
		switch to := one.TargetPort; {
		case to.Type == intstr.String:
			return namedPort(p, to.StrVal)
		case to.IntVal > 0:
			return to.IntVal
		}
		return one.Port
	}
	return 0
}

func namedPort(p *corev1.Pod, name string) int32 {
	for _, c := range p.Spec.Containers {
		for _, port := range c.Ports {
			if port.Name == name {
				return port.ContainerPort
			}
		}
	}
	return 0
}

// HealthPort is where a pod is asked whether it is ready: at the port of its readiness probe, else at the first that it declares.
func HealthPort(p *corev1.Pod) int {
	first := 0
	for _, c := range p.Spec.Containers {
		if probe := c.ReadinessProbe; probe != nil && probe.HTTPGet != nil {
			if n := probe.HTTPGet.Port.IntValue(); n != 0 {
				return n
			}
			for _, port := range c.Ports {
				if port.Name == probe.HTTPGet.Port.String() {
					return int(port.ContainerPort)
				}
			}
		}
		if first == 0 && len(c.Ports) > 0 {
			first = int(c.Ports[0].ContainerPort)
		}
	}
	return first
}
