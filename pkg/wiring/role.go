package wiring

import (
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
)

// The names of the Roles that --split prints.
const (
	readerRole  = "kubectl-rotate-reader"
	changerRole = "kubectl-rotate-changer"
)

// PrintRoles prints Roles with comments: what each amounts to, and what its rules are not limited to.
func PrintRoles(p *report.Printer, roles []rbacv1.Role, unknown []string, split bool) error {
	if split {
		var parts []rbacv1.Role
		for _, role := range roles {
			parts = append(parts, splitRole(role)...)
		}
		roles = parts
	}
	for i, role := range roles {
		text := ""
		if i > 0 {
			text = "---\n"
		}
		one, err := roleText(role, unknown)
		if err != nil {
			return fmt.Errorf("printing the Role: %w", err)
		}
		if err := p.Document([]byte(text + one)); err != nil {
			return err
		}
	}
	return nil
}

// splitRole is a Role in two: what only reads, and what changes something. A part without rules is left out.
func splitRole(role rbacv1.Role) (parts []rbacv1.Role) {
	reader, changer := *role.DeepCopy(), *role.DeepCopy()
	reader.Name, changer.Name, reader.Rules, changer.Rules = readerRole, changerRole, nil, nil
	for _, rule := range role.Rules {
		_, sub, _ := strings.Cut(rule.Resources[0], "/")
		isChange := func(verb string) bool { return changes(verb, sub) }
		for part, verbs := range map[*rbacv1.Role][]string{
			&reader:  slices.DeleteFunc(slices.Clone(rule.Verbs), isChange),
			&changer: slices.DeleteFunc(slices.Clone(rule.Verbs), func(verb string) bool { return !isChange(verb) }),
		} {
			if len(verbs) > 0 {
				own := rule
				own.Verbs = verbs
				part.Rules = append(part.Rules, own)
			}
		}
	}
	for _, part := range []rbacv1.Role{reader, changer} {
		if len(part.Rules) > 0 {
			parts = append(parts, part)
		}
	}
	return parts
}

// roleText is a Role in YAML, with comments.
func roleText(role rbacv1.Role, unknown []string) (string, error) {
	rules := role.Rules
	role.Rules = nil
	head, err := yaml.Marshal(role)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, line := range amountsTo(rules) {
		b.WriteString(fmt.Sprintf("# %s\n", line))
	}
	for _, why := range unknown {
		b.WriteString(fmt.Sprintf("# Not limited to names: %s\n", oneComment(why)))
	}
	b.WriteString(strings.Replace(string(head), "rules: null\n", "rules:\n", 1))
	for _, rule := range rules {
		text, err := yaml.Marshal([]rbacv1.PolicyRule{rule})
		if err != nil {
			return "", err
		}
		if why := unlimited(rule); why != "" {
			b.WriteString(fmt.Sprintf("# %s\n", why))
		}
		b.Write(text)
	}
	return b.String(), nil
}

// oneComment is a text that stays in the comment it is put into, whatever a cluster has put into it.
func oneComment(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, text)
}

// amountsTo says what whoever has these rules can do with them, beyond a rotation.
func amountsTo(rules []rbacv1.PolicyRule) (lines []string) {
	may := func(verb, resource string) bool {
		return slices.ContainsFunc(rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.Verbs, verb) && slices.Contains(r.Resources, resource)
		})
	}
	for _, one := range []struct {
		is   bool
		text string
	}{
		{slices.ContainsFunc(rules, runsCode), "Whoever has this Role can run any code as any ServiceAccount of the namespace: it changes pod templates, or makes pods.\n" +
			"# Such a person is as good as an administrator of the namespace."},
		{may("create", "secrets"), "It creates Secrets of any name and type. A Secret of type kubernetes.io/service-account-token holds a token of any ServiceAccount."},
		{may("create", "configmaps"), "It creates ConfigMaps of any name."},
		{may("create", "pods/portforward"), "It opens tunnels into pods, past every NetworkPolicy."},
		{may("create", "pods/exec"), "It runs commands in pods."},
		{may("get", "secrets"), "It reads the values of the Secrets below."},
	} {
		if one.is {
			lines = append(lines, one.text)
		}
	}
	return lines
}

// runsCode says whether a rule lets somebody run code of his own.
func runsCode(r rbacv1.PolicyRule) bool {
	templates := []string{"deployments", "statefulsets", "daemonsets", "replicasets", "cronjobs"}
	return slices.Contains(r.Verbs, "patch") && slices.ContainsFunc(r.Resources, func(s string) bool { return slices.Contains(templates, s) }) ||
		slices.Contains(r.Verbs, "create") && slices.Contains(r.Resources, "pods")
}

// unlimited says why a rule names no objects; "" where it does.
func unlimited(r rbacv1.PolicyRule) string {
	switch resource := r.Resources[0]; {
	case len(r.ResourceNames) > 0:
		return ""
	case strings.HasPrefix(resource, "pods/"):
		return "not limited to names: most pods get a new name each time"
	case slices.Contains(r.Verbs, "list") || slices.Contains(r.Verbs, "watch"):
		return "not limited to names: RBAC cannot limit list and watch"
	case slices.Equal(r.Verbs, []string{"create"}):
		return "not limited to names: RBAC cannot limit create"
	case slices.Contains(r.Verbs, "create"):
		return "not limited to names: RBAC cannot limit create, and most pods get a new name each time"
	case slices.Equal(r.Verbs, []string{"get"}):
		return "not limited to names: it only reads"
	}
	return "not limited to names: it covers every workload of the namespace"
}
