package wiring

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kubehistory"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// helpful are permissions that a run in one of the target's namespaces does without; "" is the target's own.
func helpful(t config.Target, namespace string, limits *Scope) (rules []rbacv1.PolicyRule) {
	for _, rule := range EngineOf(t.Kind).helpful {
		if rule = limits.limited(rule, cmp.Or(namespace, t.Namespace)); len(rule.Verbs) > 0 {
			rules = append(rules, rule)
		}
	}
	if namespace == "" {
		rules = append(rules, kubehistory.Rules(t.Secret.Name)...)
		rules = append(rules, itemRules(t)...)
	}
	return rules
}

// Granted is roles with what rotating t takes, a Role for each namespace. admin is the Secret that the server's own pod is
// given the administrator's password from, where the configuration names none: it is where the server is.
func Granted(roles []rbacv1.Role, t config.Target, via kube.Via, admin string, canary bool, limits *Scope) []rbacv1.Role {
	rules := EngineOf(t.Kind).rules(t, via, limits)
	if canary && t.Kind != config.KindJWT { // whose list has none
		rules[""] = append(append(rules[""], workload.CanaryRules()...), workload.CanaryPolicyRule())
		if there := serverKey(t); there != "" {
			rules[there] = append(rules[there], workload.CanaryPolicyRule())
		}
	}
	if server := t.Server(); admin != "" && server.Section != "" && server.Admin.Secret == nil {
		there := serverKey(t)
		rules[there] = append(rules[there], readSecret(admin))
	}
	for namespace := range rules {
		rules[namespace] = append(rules[namespace], helpful(t, namespace, limits)...)
	}
	for namespace, more := range itemRulesElsewhere(t) {
		rules[namespace] = append(rules[namespace], more...)
	}
	for _, key := range slices.Sorted(maps.Keys(rules)) {
		namespace := cmp.Or(key, t.Namespace)
		i := slices.IndexFunc(roles, func(r rbacv1.Role) bool { return r.Namespace == namespace })
		if i < 0 {
			i = len(roles)
			roles = append(roles, rbacv1.Role{
				TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
				ObjectMeta: metav1.ObjectMeta{Name: "kubectl-rotate", Namespace: namespace},
			})
		}
		for _, rule := range rules[key] {
			same := func(known rbacv1.PolicyRule) bool { return reflect.DeepEqual(known, rule) }
			if !slices.ContainsFunc(roles[i].Rules, same) {
				roles[i].Rules = append(roles[i].Rules, rule)
			}
		}
	}
	return roles
}
