package cli

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/spf13/cobra"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kubehistory"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

func rbacCommand(g *global) *cobra.Command {
	var via, admin string
	var canary bool
	c := &cobra.Command{
		Use:   "rbac [TARGET]",
		Short: "Print the Role with exactly the permissions that rotating a target takes",
		Long: `Print the Role with exactly the permissions that rotating a target takes, for kubectl apply: of one target, or of all that are
configured, a Role for each namespace. No cluster is contacted, unless --config names a ConfigMap.

Bind it with: kubectl create rolebinding kubectl-rotate --role=kubectl-rotate --user=NAME`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			var connect func() (*kube.Clients, error)
			if _, named := config.NamesConfigMap(g.config); named {
				connect = g.connect
			}
			found, _, err := g.load(c.Context(), connect)
			if err != nil {
				return err
			}
			targets := found.Targets
			if len(args) == 1 {
				t, err := target(found, "", args)
				if err != nil {
					return err
				}
				targets = []config.Target{t}
			}
			var roles []rbacv1.Role
			for _, t := range targets {
				secret := admin
				if !c.Flags().Changed("admin-secret") {
					secret = engineOf(t.Kind).admin
				}
				roles = g.granted(roles, t, kube.Via(via), secret, canary)
			}
			return g.printRoles(roles)
		},
	}
	c.Flags().StringVar(&via, "via", string(kube.ViaPortForward), "the way to the server that the Role shall allow: port-forward, exec, auto for both, direct for neither")
	c.Flags().StringVar(&admin, "admin-secret", "", "the Secret that holds the administrator's password, where the configuration names none; \"\" for none (default: as in the runbook, postgresql-admin or redis-admin)")
	c.Flags().BoolVar(&canary, "canary", false, "with what it takes to have one more pod try the new version first: to make pods and Secrets")
	return c
}

// helpful are permissions that a run in one of the target's namespaces does without; "" is the target's own.
func helpful(t config.Target, namespace string) []rbacv1.PolicyRule {
	rules := slices.Clone(engineOf(t.Kind).helpful)
	if namespace == "" {
		rules = append(rules, kubehistory.Rules(t.Secret.Name)...)
		rules = append(rules, itemRules(t)...)
	}
	return rules
}

// granted is roles with what rotating t takes, a Role for each namespace. admin is the Secret that the server's own pod is
// given the administrator's password from, where the configuration names none: it is where the server is.
func (g *global) granted(roles []rbacv1.Role, t config.Target, via kube.Via, admin string, canary bool) []rbacv1.Role {
	t.Namespace = cmp.Or(t.Namespace, *g.kube.Namespace)
	rules := engineOf(t.Kind).rules(t, via)
	if canary && t.Kind != config.KindJWT { // whose list has none
		rules[""] = append(rules[""], workload.CanaryRules()...)
	}
	if server := t.Server(); admin != "" && server.Section != "" && server.Admin.Secret == nil {
		there := serverKey(t)
		rules[there] = append(rules[there], readSecret(admin))
	}
	for namespace := range rules {
		rules[namespace] = append(rules[namespace], helpful(t, namespace)...)
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

func (g *global) printRoles(roles []rbacv1.Role) error {
	for i, role := range roles {
		text, err := yaml.Marshal(role)
		if err != nil {
			return fmt.Errorf("printing the Role: %w", err)
		}
		if i > 0 {
			text = append([]byte("---\n"), text...)
		}
		if _, err = g.Out.Write(text); err != nil {
			return err
		}
	}
	return nil
}
