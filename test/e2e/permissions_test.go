package e2e

import (
	"fmt"
	"slices"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
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
