package wiring

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// ScopeOf asks the cluster what the rules of a target can be limited to.
func ScopeOf(ctx context.Context, clients *kube.Clients, t config.Target, via kube.Via) *Scope {
	in := opening{clients: clients, target: t, server: t.Server(), namespace: clients.NamespaceOr(t.Namespace), via: via}
	s := &Scope{workloads: map[string][]string{}, configs: map[string][]string{}}
	var pods []corev1.Pod
	if in.server.Section != "" && via != kube.ViaDirect {
		pods = s.findServer(ctx, in)
	}
	for _, c := range s.consumers(ctx, in, pods) {
		workloads, configs, err := c.Movable(ctx)
		if err != nil {
			s.Unknown = append(s.Unknown, fmt.Sprintf("the consumers in namespace %s: %v", c.Namespace, clients.Explain(err)))
			continue
		}
		s.workloads[c.Namespace] = workloads
		s.configs[c.Namespace] = slices.Concat([]string{}, s.configs[c.Namespace], configs)
	}
	return s
}

// consumers are those of any kind of target.
func (s *Scope) consumers(ctx context.Context, in opening, pods []corev1.Pod) workload.Across {
	if in.target.Kind == config.KindJWT {
		return workload.Across{keyConsumers(in)}
	}
	kept, err := keep(ctx, in, pods)
	if err != nil {
		s.Unknown = append(s.Unknown, fmt.Sprintf("what makes the server's pods in namespace %s: %v", serverNamespace(in), in.clients.Explain(err)))
	}
	return consumersOf(in, kept, nil)
}

// findServer limits the way to the server to its pods, where they keep their names.
func (s *Scope) findServer(ctx context.Context, in opening) []corev1.Pod {
	pods, err := serverPods(ctx, in)
	if err == nil {
		var more []corev1.Pod
		more, err = standbyPods(ctx, in, in.clients.Owners())
		pods = append(pods, more...)
	}
	if err != nil {
		s.Unknown = append(s.Unknown, fmt.Sprintf("the server's pods in namespace %s: %v", serverNamespace(in), in.clients.Explain(err)))
		return nil
	}
	for _, p := range pods {
		if owner := metav1.GetControllerOf(&p); owner != nil && owner.Kind != "StatefulSet" {
			s.Unknown = append(s.Unknown, fmt.Sprintf("the server's pods in namespace %s: each pod of %s has a new name", serverNamespace(in), owner.Kind))
			return pods
		}
	}
	there := serverNamespace(in)
	for _, p := range pods {
		s.server = append(s.server, p.Name)
		s.configs[there] = append(s.configs[there], podrefs.ConfigMaps(&p.Spec)...)
	}
	slices.Sort(s.server)
	return pods
}
