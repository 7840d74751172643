package wiring

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// permitted refuses when any of what the rules say is missing, in any namespace, and names all of it. home is the
// target's own namespace. General permissions are asked for first. Where one of them is missing, the rules are limited to the
// names that the cluster has now, and asked for by name. Who only reads is refused for reading alone: what changing takes
// besides is given back.
func permitted(ctx context.Context, c *kube.Clients, home string, reads bool,
	rules func(*Scope) map[string][]rbacv1.PolicyRule, limits func() *Scope) (lacking []kube.Permission, err error) {
	missing, err := missingOf(ctx, c, home, rules(nil))
	if err == nil && len(missing) > 0 {
		missing, err = missingOf(ctx, c, home, rules(limits()))
	}
	if err != nil {
		return nil, err
	}
	refused := missing
	if reads {
		refused = nil
		for _, p := range missing {
			if changes(p.Verb, p.Subresource) {
				lacking = append(lacking, p)
			} else {
				refused = append(refused, p)
			}
		}
	}
	if len(refused) == 0 {
		return lacking, nil
	}
	return nil, rotation.Refuse(rotation.WithHint(
		errors.New("these permissions are missing; nothing was changed:"+MissingText(refused)),
		"print the Role anew with `kubectl rotate rbac`, and apply it: it names workloads and pods as they are now"))
}

// missingOf are the permissions of the rules that are not there.
func missingOf(ctx context.Context, c *kube.Clients, home string, rules map[string][]rbacv1.PolicyRule) ([]kube.Permission, error) {
	var all []kube.Permission
	for _, namespace := range slices.Sorted(maps.Keys(rules)) {
		all = append(all, needed(rules[namespace], cmp.Or(namespace, home))...)
	}
	missing, err := c.Missing(ctx, all)
	return missing, c.Explain(err)
}

// MissingText names permissions, each on a line of its own.
func MissingText(missing []kube.Permission) (text string) {
	for _, p := range missing {
		text += "\n  " + p.String()
	}
	return text
}

// changes says whether a verb changes something. A tunnel into a pod changes nothing by itself: it is how the server is asked.
func changes(verb, subresource string) bool {
	return !slices.Contains([]string{"get", "list", "watch"}, verb) && !slices.Contains([]string{"portforward", "exec"}, subresource)
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
