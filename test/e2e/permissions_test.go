package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// permit changes the operator's Role, and waits until the API server goes by it.
func (w *world) permit(role *rbacv1.Role) {
	w.Helper()
	role = role.DeepCopy()
	role.ResourceVersion = ""
	rules, heeded := w.marked(role.Namespace, role.Rules)
	role.Rules = rules
	_, err := w.kube.RbacV1().Roles(role.Namespace).Update(w.ctx, role, metav1.UpdateOptions{})
	w.must("changing the Role", err)
	heeded()
}

// marked are rules with one more, by which it can be seen whether the API server goes by them already: it decides by a copy,
// which is told of a change a little later.
func (w *world) marked(namespace string, rules []rbacv1.PolicyRule) (with []rbacv1.PolicyRule, heeded func()) {
	w.marks++
	mark := fmt.Sprintf("mark-%d", w.marks)
	with = append(slices.Clone(rules), rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"marks"}, ResourceNames: []string{mark}, Verbs: []string{"get"}})
	return with, func() {
		w.Helper()
		w.until("the API server goes by the Role", func() bool {
			review, err := w.kube.AuthorizationV1().SubjectAccessReviews().Create(w.ctx, &authorizationv1.SubjectAccessReview{
				Spec: authorizationv1.SubjectAccessReviewSpec{User: "restricted", ResourceAttributes: &authorizationv1.ResourceAttributes{
					Namespace: namespace, Verb: "get", Resource: "marks", Name: mark,
				}},
			}, metav1.CreateOptions{})
			return err == nil && review.Status.Allowed
		})
	}
}

// rolesByName are the Roles that `kubectl rotate rbac` prints with the names that the cluster has now.
func (w *world) rolesByName(args ...string) (roles []rbacv1.Role) {
	w.Helper()
	printed := w.as("admin", append([]string{"rbac"}, args...)...)
	if printed.code != 0 || strings.Contains(printed.stdout, "Not limited to names") {
		w.Fatalf("rbac: %s", printed)
	}
	for text := range strings.SplitSeq(printed.stdout, "---\n") {
		var role rbacv1.Role
		w.must("reading the Role", yaml.UnmarshalStrict([]byte(text), &role))
		roles = append(roles, role)
	}
	return roles
}

// named gives the operator the rules of these Roles, and no others.
func (w *world) named(roles ...rbacv1.Role) {
	w.Helper()
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Namespace: w.ns, Name: "kubectl-rotate"}}
	for _, r := range roles {
		role.Rules = append(role.Rules, r.Rules...)
	}
	for _, rule := range role.Rules {
		if slices.Contains(rule.Verbs, "patch") && len(rule.ResourceNames) == 0 {
			w.Errorf("a rule lets everything be changed: %v", rule)
		}
	}
	w.permit(role)
}

// The Role with names is enough for a whole rotation. A consumer that came later is named, and the Role that is printed anew has it.
func TestTheRoleWithNamesIsEnough(t *testing.T) {
	w := newWorld(t)
	w.named(w.rolesByName("postgres")...)
	w.rotate(0, "postgres", "--yes", "--soak=1s")
	w.standby("backend_v2")
	w.deployment("late", credentials)
	before := w.fingerprint()
	w.says(w.rotate(4, "postgres", "--yes", "--again", "--soak=1s"), `patch deployments.apps "late" in namespace `+w.ns, "print the Role anew", "nothing was changed")
	w.unchanged(before)
	w.named(w.rolesByName("postgres")...)
	w.rotate(0, "postgres", "--yes", "--again", "--soak=1s")
	w.standby("backend_v3")
}

// Who may only read looks at everything, and is refused before anything changes.
func TestTheReaderOnlyReads(t *testing.T) {
	w := newWorld(t)
	roles := w.rolesByName("postgres", "--split")
	w.named(roles[0])
	before := w.fingerprint()
	w.rotate(0, "status", "postgres")
	w.rotate(0, "status")
	w.rotate(0, "history", "postgres")
	w.says(w.rotate(0, "postgres", "--dry-run"), "a rotation would be refused", `patch deployments.apps "backend"`, `patch secrets "postgresql-credentials"`)
	r := w.rotate(4, "postgres", "--yes")
	w.says(r, "these permissions are missing; nothing was changed", `patch secrets "postgresql-credentials"`)
	if strings.Contains(r.stderr, "  get ") || strings.Contains(r.stderr, "  list ") {
		t.Errorf("reading is missing: %s", r)
	}
	w.unchanged(before)
	w.named(roles...)
	w.rotate(0, "postgres", "--yes", "--soak=1s")
	w.standby("backend_v2")
}

// The same for a server of two nodes, which a run reaches one by one.
func TestTheRoleWithNamesIsEnoughForRedis(t *testing.T) {
	w := newRedis(t)
	rules := w.rules("redis-0")["backend"]
	w.named(w.rolesByName("redis")...)
	w.rotate(0, "redis", "--yes", "--soak=1s")
	w.standby("backend_v2", rules)
}

// The same for signing keys, whose pods are asked over tunnels: most pods have no name that a Role could give.
func TestTheRoleWithNamesIsEnoughForSigningKeys(t *testing.T) {
	w, config := signing(t, 5*time.Second)
	name, value := w.signingKey()
	w.named(w.rolesByName("jwt", config)...)
	w.must("unbinding the general Role", w.kube.RbacV1().RoleBindings(w.ns).Delete(w.ctx, "kubectl-rotate-more", metav1.DeleteOptions{}))
	w.until("the API server goes by that", func() bool {
		review, err := w.kube.AuthorizationV1().SubjectAccessReviews().Create(w.ctx, &authorizationv1.SubjectAccessReview{
			Spec: authorizationv1.SubjectAccessReviewSpec{User: "restricted", ResourceAttributes: &authorizationv1.ResourceAttributes{
				Namespace: w.ns, Verb: "patch", Group: "apps", Resource: "deployments",
			}},
		}, metav1.CreateOptions{})
		return err == nil && !review.Status.Allowed
	})
	w.rotate(0, "jwt", config, "--yes")
	w.refusedEverywhere(name, value)
	w.erased(value)
}

// A NetworkPolicy that selects by the only label of the application excludes a canary, which goes without: that is asked about before
// anything begins. A policy for canaries settles it.
func TestACanaryThatAPolicyExcludes(t *testing.T) {
	w := newWorld(t)
	w.grantWith("--canary")
	selector := w.selectorOf("backend")
	policies := w.kube.NetworkingV1().NetworkPolicies(w.ns)
	policy := func(name string, s metav1.LabelSelector) {
		_, err := policies.Create(w.ctx, &networkingv1.NetworkPolicy{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec: networkingv1.NetworkPolicySpec{
				PodSelector: s, PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}, Egress: []networkingv1.NetworkPolicyEgressRule{{}},
			},
		}, metav1.CreateOptions{})
		w.must("making a NetworkPolicy", err)
	}
	policy("allow-backend", selector)
	before := w.fingerprint()
	w.says(w.rotate(3, "postgres", "--yes", "--soak=1s", "--canary"), "the network may keep the canary from the server", "networkpolicy/allow-backend",
		"canary.kubectl-rotate/postgresql-credentials", "--canary=false", "--accept=canary")
	w.unchanged(before)
	policy("allow-canary", metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: "canary.kubectl-rotate/postgresql-credentials", Operator: metav1.LabelSelectorOpExists},
	}})
	w.rotate(0, "postgres", "--yes", "--soak=1s", "--canary")
	w.noCanary()
	w.standby("backend_v2")
}

// selectorOf is how a Deployment selects its pods.
func (w *world) selectorOf(name string) metav1.LabelSelector {
	w.Helper()
	d, err := w.kube.AppsV1().Deployments(w.ns).Get(w.ctx, name, metav1.GetOptions{})
	w.must("reading deployment "+name, err)
	return *d.Spec.Selector
}
