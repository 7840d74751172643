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
	app, err := s.get(ctx, s.Namespace, s.Name)
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
	rec, err := s.record(p)
	if err != nil {
		return nil, err
	}
	if notes, err = s.inspect(p.app); err != nil {
		return nil, err
	}
	for i, place := range s.Also {
		more, err := place.inspect(p.also[i])
		if err == nil {
			err = place.holds(rec.Current, p.also[i])
		}
		if err != nil {
			return nil, err
		}
		notes = append(notes, more...)
	}
	return notes, nil
}

func (p Place) inspect(app *corev1.Secret) (notes []string, err error) {
	if app.Immutable != nil && *app.Immutable {
		return nil, rotation.Refuse(rotation.WithHint(fmt.Errorf("%s is immutable", p.secret()),
			fmt.Sprintf("make a new %s without `immutable: true` under another name, have the workloads read that one, and name it in the target's config", p.kind())))
	}
	keys := p.keys(app.Data)
	if o := ownerOf(app, keys); o != nil {
		return nil, rotation.Refuse(rotation.WithHint(
			fmt.Errorf("%s is written by %s, which would take a rotated value back (seen: %s)", p.secret(), o.Name, o.Sign), o.Hint))
	}
	for _, name := range strangers(app, keys) {
		notes = append(notes, fmt.Sprintf("%s: %q wrote a rotated key; if it is a controller, it will write its own value back", p.secret(), name))
	}
	for _, name := range trackers(app) {
		notes = append(notes, fmt.Sprintf("%s comes from %s; the rotated keys do not, by the API server's record of who wrote them", p.secret(), name))
	}
	switch applied := appliedKeys(app, keys); {
	case len(applied) > 0 && p.ConfigMap: // nothing in it is secret
		notes = append(notes, fmt.Sprintf("%s: the next `kubectl apply` of the manifest in its annotation %s writes the present value of %s back",
			p.secret(), corev1.LastAppliedConfigAnnotation, strings.Join(applied, ", ")))
	case len(applied) > 0:
		notes = append(notes, fmt.Sprintf("%s: annotation %s holds the present value of %s in readable form, and the next `kubectl apply` of that manifest writes it back; "+
			"`%s` takes it away", p.secret(), corev1.LastAppliedConfigAnnotation, strings.Join(applied, ", "),
			rotation.Command("kubectl", "annotate", "-n", p.Namespace, "secret", p.Name, corev1.LastAppliedConfigAnnotation+"-")))
	}
	return notes, nil
}
