package workload

import (
	"context"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
)

// resources are the resource and API group of each kind that can be moved.
var resources = map[string]struct{ group, resource string }{
	"deployment":  {"apps", "deployments"},
	"statefulset": {"apps", "statefulsets"},
	"daemonset":   {"apps", "daemonsets"},
	"replicaset":  {"apps", "replicasets"},
	"cronjob":     {"batch", "cronjobs"},
}

// Rules are the permissions that Consumers take in their namespace. With the names of workloads, as in
// "deployment/backend", only those may be moved; with nil, all.
func Rules(names []string) []rbacv1.PolicyRule {
	rules := []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{"apps"}, Resources: []string{"deployments", "statefulsets", "daemonsets"}, Verbs: []string{"get", "list", "watch"}},
		{APIGroups: []string{"apps"}, Resources: []string{"replicasets"}, Verbs: []string{"get"}},
		{APIGroups: []string{"batch"}, Resources: []string{"cronjobs"}, Verbs: []string{"get", "list"}},
		{APIGroups: []string{""}, Resources: []string{"pods/eviction"}, Verbs: []string{"create"}},
	}
	return append(rules, moving(names)...)
}

// moving are the permissions to change templates.
func moving(names []string) (rules []rbacv1.PolicyRule) {
	if names == nil {
		return []rbacv1.PolicyRule{
			{APIGroups: []string{"apps"}, Resources: []string{"deployments", "statefulsets", "daemonsets", "replicasets"}, Verbs: []string{"patch"}},
			{APIGroups: []string{"batch"}, Resources: []string{"cronjobs"}, Verbs: []string{"patch"}},
		}
	}
	byKind := map[string][]string{}
	for _, n := range names {
		if kind, name, ok := strings.Cut(n, "/"); ok && resources[kind].resource != "" {
			byKind[kind] = append(byKind[kind], name)
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(byKind)) {
		r := resources[kind]
		rules = append(rules, rbacv1.PolicyRule{
			APIGroups: []string{r.group}, Resources: []string{r.resource}, ResourceNames: byKind[kind], Verbs: []string{"patch"},
		})
	}
	return rules
}

// Movable lists the consumers whose templates a rotation changes, as "deployment/backend", and the ConfigMaps that they read.
// Neither list is nil.
func (c *Consumers) Movable(ctx context.Context) (workloads, configs []string, err error) {
	groups, _, err := c.survey(ctx)
	if err != nil {
		return nil, nil, err
	}
	workloads, configs = []string{}, []string{}
	for _, g := range groups {
		if c.keeps(g.controller) || g.template == nil {
			continue
		}
		workloads = append(workloads, g.id())
		configs = append(configs, podrefs.ConfigMaps(&g.template.Spec)...)
	}
	slices.Sort(configs)
	return workloads, slices.Compact(configs), nil
}
