package kubesecret

import (
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
)

// Rules are the permissions that a Store over the given Secrets takes, in their namespace. Creating can't be limited
// to a name: the API server does not know it yet when it asks.
func Rules(names ...string) []rbacv1.PolicyRule {
	var both []string
	for _, name := range names {
		both = append(both, name, ledger.Record(name))
	}
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: both, Verbs: []string{"get", "patch"}},
		{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"create"}},
	}
}

// RulesAlso are the permissions that a Store takes for the other Secrets that hold the credential.
func RulesAlso(names ...string) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: names, Verbs: []string{"get", "patch"}},
	}
}

// RulesShown are the permissions that a Store takes for a ConfigMap that shows what to accept.
func RulesShown(name string) []rbacv1.PolicyRule {
	return []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{"configmaps"}, ResourceNames: []string{name}, Verbs: []string{"get", "patch"}},
	}
}
