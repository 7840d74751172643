package wiring

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kubesecret"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/lease"
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

// serverRules are the permissions that a rotation takes, by namespace: those of its parts, and the way to the server.
func serverRules(t config.Target, via kube.Via, limits *Scope) map[string][]rbacv1.PolicyRule {
	all := map[string][]rbacv1.PolicyRule{}
	for _, s := range t.Also {
		home := s.Namespace == "" || s.Namespace == t.Namespace
		if home {
			s.Namespace = ""
		} else if all[s.Namespace] == nil {
			all[s.Namespace] = workload.Rules(limits.moved(s.Namespace))
		}
		all[s.Namespace] = append(all[s.Namespace], kubesecret.RulesAlso(s.Name)...)
	}
	all[""] = append(homeRules(t, limits), all[""]...)
	there := serverKey(t)
	if there != "" && all[there] == nil {
		all[there] = []rbacv1.PolicyRule{podsRule, makersRule}
	}
	all[there] = append(all[there], wayRules(via, limits.pods())...)
	if via != kube.ViaDirect && findsByService(t) {
		all[there] = append(all[there], serviceRule)
	}
	return all
}

// findsByService says whether pods of the server, or other nodes of it, are found behind a Service.
func findsByService(t config.Target) bool {
	named := redisOf(t).Nodes
	if t.Postgres != nil {
		named = t.Postgres.Standbys
	}
	return t.Server().Pod == "" || slices.ContainsFunc(named, func(name string) bool { return strings.HasPrefix(name, "service/") })
}

// serverKey is the namespace of the server as rules are kept by: "" where it is the target's own.
func serverKey(t config.Target) string {
	if n := t.Server().Namespace; n != t.Namespace {
		return n
	}
	return ""
}

// homeRules are those in the target's own namespace, the way to the server aside.
func homeRules(t config.Target, limits *Scope) []rbacv1.PolicyRule {
	return slices.Concat(kubesecret.Rules(t.Secret.Name), lease.Rules(t.Secret.Name), workload.Rules(limits.moved(t.Namespace)), readServer(t.Server()))
}

// readServer are those to read what it takes to be let in by a server.
func readServer(s config.Server) (rules []rbacv1.PolicyRule) {
	if s.Admin.Secret != nil {
		rules = append(rules, readSecret(s.Admin.Secret.Name))
	}
	for _, name := range s.Secrets {
		rules = append(rules, readSecret(name))
	}
	return rules
}

func readSecret(name string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{name}, Verbs: []string{"get"}}
}

// firstVia is the connection that a run needs permission for: it falls back to exec only where a port-forward does not work.
func firstVia(via kube.Via) kube.Via {
	if via == kube.ViaAuto {
		return kube.ViaPortForward
	}
	return via
}

// wayRules are those that the way to pods takes: to those of the given names, or to any. Auto takes both ways.
func wayRules(via kube.Via, pods []string) (rules []rbacv1.PolicyRule) {
	way := func(sub string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/" + sub}, ResourceNames: pods, Verbs: []string{"create"}}
	}
	if via == kube.ViaPortForward || via == kube.ViaAuto {
		rules = append(rules, way("portforward"))
	}
	if via == kube.ViaExec || via == kube.ViaAuto {
		rules = append(rules, way("exec"))
	}
	return rules
}

// at is a namespace that a target names, "" where that is its own.
func at(t config.Target, namespace string) string {
	if namespace == t.Namespace {
		return ""
	}
	return namespace
}
