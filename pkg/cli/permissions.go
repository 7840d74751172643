package cli

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// permitted refuses when any of what the rules say is missing, in any namespace, and names all of it. home is the
// target's own namespace.
func permitted(ctx context.Context, c *kube.Clients, rules map[string][]rbacv1.PolicyRule, home string) error {
	var all []kube.Permission
	for _, namespace := range slices.Sorted(maps.Keys(rules)) {
		all = append(all, needed(rules[namespace], cmp.Or(namespace, home))...)
	}
	missing, err := c.Missing(ctx, all)
	if err != nil {
		return c.Explain(err)
	}
	if len(missing) == 0 {
		return nil
	}
	lines := make([]string, len(missing))
	for i, p := range missing {
		lines[i] = "  " + p.String()
	}
	return rotation.Refuse(rotation.WithHint(
		fmt.Errorf("these permissions are missing; nothing was changed:\n%s", strings.Join(lines, "\n")),
		"`kubectl rotate rbac` prints the Role that has them"))
}

// needed is every single permission that the rules grant.
func needed(rules []rbacv1.PolicyRule, namespace string) (all []kube.Permission) {
	for _, r := range rules {
		names := r.ResourceNames
		if len(names) == 0 {
			names = []string{""}
		}
		for _, group := range r.APIGroups {
			for _, resource := range r.Resources {
				resource, sub, _ := strings.Cut(resource, "/")
				for _, verb := range r.Verbs {
					for _, name := range names {
						all = append(all, kube.Permission{
							Verb: verb, Group: group, Resource: resource, Subresource: sub, Namespace: namespace, Name: name,
						})
					}
				}
			}
		}
	}
	return all
}
