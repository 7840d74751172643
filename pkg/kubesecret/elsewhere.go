package kubesecret

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Others are the Secrets of the application's namespace that this store knows nothing of, records of rotations, what a
// canary was given and the tokens of service accounts apart. ok is false where listing is forbidden: then nothing is known of any.
func (s *Store) Others(ctx context.Context) (others []corev1.Secret, ok bool, err error) {
	options := metav1.ListOptions{Limit: 500}
	for {
		page, err := s.Secrets.Secrets(s.Namespace).List(ctx, options)
		if apierrors.IsForbidden(err) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, explain("list", s.Namespace, "", err)
		}
		for _, found := range page.Items {
			if found.Type != recordType && found.Type != corev1.SecretTypeServiceAccountToken && !lent(found) && !s.knows(found.Name) {
				others = append(others, found)
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return others, true, nil
		}
	}
}

// knows says whether the Secret of that name, in the application's namespace, is one of the store's.
func (s *Store) knows(name string) bool {
	return name == s.Name || slices.ContainsFunc(s.Also, func(p Place) bool { return p.Namespace == s.Namespace && p.Name == name })
}

// lent says whether a rotation has made the Secret for one pod of its own: it goes with that pod, a while after it.
func lent(s corev1.Secret) bool {
	return s.Labels["app.kubernetes.io/managed-by"] == "kubectl-rotate" && slices.ContainsFunc(s.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "Pod" })
}
