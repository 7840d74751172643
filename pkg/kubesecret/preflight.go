package kubesecret

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Owner is who else writes the rotated keys; nil where nobody does.
func (s *Store) Owner(ctx context.Context) (*Owner, error) {
	app, err := s.get(ctx, s.Name)
	if err != nil {
		return nil, err
	}
	return ownerOf(app, s.keys(app.Data)), nil
}

// Preflight refuses a Secret that can't be written or that somebody else would write back. The notes are what an
// operator should know before a rotation begins. It changes nothing.
func (s *Store) Preflight(ctx context.Context) (notes []string, err error) {
	p, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := s.record(p); err != nil {
		return nil, err
	}
	return s.inspect(p.app)
}

func (s *Store) inspect(app *corev1.Secret) (notes []string, err error) {
	if app.Immutable != nil && *app.Immutable {
		return nil, rotation.Refuse(rotation.WithHint(fmt.Errorf("%s is immutable", s.secret()),
			"make a new Secret without `immutable: true` under another name, have the workloads read that one, and rotate it"))
	}
	keys := s.keys(app.Data)
	if o := ownerOf(app, keys); o != nil {
		return nil, rotation.Refuse(rotation.WithHint(
			fmt.Errorf("%s is written by %s, which would take a rotated value back (seen: %s)", s.secret(), o.Name, o.Sign), o.Hint))
	}
	for _, name := range strangers(app, keys) {
		notes = append(notes, fmt.Sprintf("%s: %q wrote a rotated key; if it is a controller, it will write its own value back", s.secret(), name))
	}
	for _, name := range trackers(app) {
		notes = append(notes, fmt.Sprintf("%s comes from %s; the rotated keys do not, by the API server's record of who wrote them", s.secret(), name))
	}
	if applied := appliedKeys(app, keys); len(applied) > 0 {
		notes = append(notes, fmt.Sprintf("%s: annotation %s holds the present value of %s in readable form, and the next `kubectl apply` of that manifest writes it back",
			s.secret(), corev1.LastAppliedConfigAnnotation, strings.Join(applied, ", ")))
	}
	return notes, nil
}

// DropApplied removes the annotation in which `kubectl apply` keeps a copy of the values that it wrote.
func (s *Store) DropApplied(ctx context.Context) error {
	app, err := s.get(ctx, s.Name)
	if err != nil || app.Annotations[corev1.LastAppliedConfigAnnotation] == "" {
		return err
	}
	_, err = s.patch(ctx, app, nil, map[string]any{corev1.LastAppliedConfigAnnotation: nil})
	return err
}
