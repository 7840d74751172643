package wiring

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// serverPods are the server's pod, and the others of its StatefulSet: standbys, as far as they are there. A server that
// is dialed directly need not have any.
func serverPods(ctx context.Context, in opening) ([]corev1.Pod, error) {
	p, namespace := in.server, serverNamespace(in)
	name, err := p.Pod, error(nil)
	if name == "" {
		name, err = in.clients.ReadyPodBehind(ctx, namespace, p.Service)
	}
	switch {
	case err != nil && in.via == kube.ViaDirect:
		return nil, nil
	case err != nil:
		return nil, rotation.WithHint(fmt.Errorf("looking for the pod where the %s runs: %w", servers[in.target.Kind], err),
			fmt.Sprintf("name the pod in the configuration (%s.pod), or another service (%s.service)", p.Section, p.Section))
	}
	first, err := in.clients.Kube.CoreV1().Pods(namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) && in.via == kube.ViaDirect:
		return nil, nil
	case apierrors.IsNotFound(err):
		return nil, rotation.WithHint(fmt.Errorf("there is no pod %s/%s, where the %s should run", namespace, name, servers[in.target.Kind]),
			fmt.Sprintf("name the pod in the configuration (%s.pod), or the namespace with -n", p.Section))
	case err != nil:
		return nil, fmt.Errorf("reading pod %s/%s: %w", namespace, name, err)
	}
	return in.clients.Owners().Siblings(ctx, *first)
}

// servers is what runs in a server's pods, by the target's kind.
var servers = map[config.Kind]string{config.KindPostgres: "database", config.KindRedis: "Redis server", config.KindJWT: "Redis server"}

// settled is in with the server's pod named, and its container: the one that declares its port, else the first.
func settled(in opening, pods []corev1.Pod) opening {
	p := &in.server
	if len(pods) > 0 {
		p.Pod = pods[0].Name
	}
	if p.Container != "" || len(pods) == 0 || len(pods[0].Spec.Containers) == 0 {
		return in
	}
	all := pods[0].Spec.Containers
	at := max(0, slices.IndexFunc(all, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(port corev1.ContainerPort) bool { return int(port.ContainerPort) == p.Port })
	}))
	p.Container = all[at].Name
	return in
}

// serverNamespace is where the server's pods are.
func serverNamespace(in opening) string {
	if n := in.server.Namespace; n != "" {
		return n
	}
	return in.namespace
}

// keep names what makes the server's pods, whatever its kind: it is never rolled although it may read the same Secret.
func keep(ctx context.Context, in opening, pods []corev1.Pod) (names []string, err error) {
	owners := in.clients.Owners()
	for _, p := range pods {
		name := "pod/" + p.Name
		c, err := owners.Of(ctx, &p)
		if err != nil {
			return nil, err
		}
		if c != nil {
			name = strings.ToLower(c.Kind) + "/" + c.Name
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// aliases are what the server in a pod goes by: the pod's addresses, its names under the governing Service of a StatefulSet, and those of the
// Service that it was found behind.
func aliases(p corev1.Pod, service string) (all []string) {
	for _, ip := range p.Status.PodIPs {
		all = append(all, ip.IP)
	}
	var names []string
	if sub := p.Spec.Subdomain; sub != "" {
		names = append(names, p.Name+"."+sub)
	}
	if service != "" {
		names = append(names, service)
	}
	for _, name := range names {
		all = append(all, name, name+"."+p.Namespace, name+"."+p.Namespace+".svc", name+"."+p.Namespace+".svc.cluster.local")
	}
	return all
}

// dialer leads to one pod of the server.
func (in opening) dialer(pod corev1.Pod) *kube.Dialer {
	d := in.clients.Dialer(pod.Namespace, pod.Name)
	d.Via, d.Container = in.via, in.server.Container
	d.OnTake = func(taken kube.Via, instead error) {
		if instead != nil {
			in.say("reaching %s by %s, since: %v", pod.Name, taken, instead)
		}
	}
	return d
}
