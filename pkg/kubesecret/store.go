package kubesecret

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Store is a [rotation.Store] over the application's Secret, and perhaps other objects that hold or
// show the same credential. Content is how it stands in the application's Secret.
type Store struct{ ledger.Store }

// Rendered is what each of the target's Secrets in a namespace would hold if view were published,
// by the Secret's name. rec has the values. It changes nothing.
func (s *Store) Rendered(ctx context.Context, rec rotation.Record, view rotation.View, namespace string) (map[string]map[string][]byte, error) {
	all := map[string]map[string][]byte{}
	for _, secret := range s.all() {
		if secret.Namespace != namespace {
			continue
		}
		found, err := ledger.GetSecret(ctx, s.Secrets, secret.Namespace, secret.Name)
		if err != nil {
			return nil, err
		}
		changes, err := secret.Changes(view, rec.Live, found.Data, false)
		if err != nil {
			return nil, err
		}
		all[secret.Name] = ledger.Merged(found.Data, changes)
	}
	return all, nil
}

// all are the target's Secrets, the application's first.
func (s *Store) all() (all []Secret) {
	if content, ok := s.Content.(Content); ok {
		all = append(all, Secret{Secrets: s.Secrets, Namespace: s.Namespace, Name: s.Name, Content: content})
	}
	for _, place := range s.Also {
		if secret, ok := place.(Secret); ok {
			all = append(all, secret)
		}
	}
	return all
}

// Others are the Secrets of the application's namespace that this store knows nothing of, records
// of rotations, what a canary was given and the tokens of service accounts apart. ok is false where
// listing is forbidden: then nothing is known of any.
func (s *Store) Others(ctx context.Context) (others []corev1.Secret, ok bool, err error) {
	options := metav1.ListOptions{Limit: 500}
	known := s.all()
	for {
		page, err := s.Secrets.Secrets(s.Namespace).List(ctx, options)
		if apierrors.IsForbidden(err) {
			return nil, false, nil
		}
		if err != nil {
			return nil, false, ledger.Explain("secrets", "list", s.Namespace, "", err)
		}
		for _, found := range page.Items {
			knows := func(p Secret) bool { return p.Namespace == s.Namespace && p.Name == found.Name }
			if found.Type != ledger.SecretType && found.Type != corev1.SecretTypeServiceAccountToken && !lent(found) && !slices.ContainsFunc(known, knows) {
				others = append(others, found)
			}
		}
		if options.Continue = page.Continue; options.Continue == "" {
			return others, true, nil
		}
	}
}

// lent says whether a rotation has made the Secret for one pod of its own: it goes with that pod, a
// while after it.
func lent(s corev1.Secret) bool {
	return s.Labels["app.kubernetes.io/managed-by"] == "kubectl-rotate" && slices.ContainsFunc(s.OwnerReferences, func(o metav1.OwnerReference) bool { return o.Kind == "Pod" })
}
