package wiring

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// Scope is what the rules of a target can be limited to, as the cluster is now. Nil is nothing: the rules are general.
type Scope struct {
	workloads map[string][]string // consumers that are moved, by namespace; none for a namespace: not known
	configs   map[string][]string // ConfigMaps that consumers and the server read, in the same way
	server    []string            // the server's pods, where they keep their names; nil: not known
	Unknown   []string            // what could not be limited, and why
}

// moved are the workloads of a namespace to which moving is limited; nil: all.
func (s *Scope) moved(namespace string) []string {
	if s == nil {
		return nil
	}
	return s.workloads[namespace]
}

// pods are the pods to which the way to the server is limited; nil: all.
func (s *Scope) pods() []string {
	if s == nil {
		return nil
	}
	return s.server
}

// limited is a rule on ConfigMaps for those that are read, and any other as it is. One that is left with none has no verbs.
func (s *Scope) limited(rule rbacv1.PolicyRule, namespace string) rbacv1.PolicyRule {
	if s == nil || s.configs[namespace] == nil || !slices.Equal(rule.Resources, []string{"configmaps"}) || len(rule.ResourceNames) > 0 {
		return rule
	}
	rule.ResourceNames = slices.Compact(slices.Sorted(slices.Values(s.configs[namespace])))
	if len(rule.ResourceNames) == 0 { // to RBAC, no names are all names
		rule.Verbs = nil
	}
	return rule
}

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
		more, err = standbyPods(ctx, in)
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
