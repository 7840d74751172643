package kubesecret

import (
	"context"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Rendered is what each of the target's Secrets in a namespace would hold if view were published, by the Secret's name. rec
// has the values. It changes nothing.
func (s *Store) Rendered(ctx context.Context, rec rotation.Record, view rotation.View, namespace string) (map[string]map[string][]byte, error) {
	all := map[string]map[string][]byte{}
	for _, place := range append([]Place{s.Place}, s.Also...) {
		if place.Namespace != namespace {
			continue
		}
		found, err := s.get(ctx, place.Namespace, place.Name)
		if err != nil {
			return nil, err
		}
		changes, err := place.changes(view, rec.Live, found.Data)
		if err != nil {
			return nil, err
		}
		all[place.Name] = merged(found.Data, changes)
	}
	return all, nil
}
