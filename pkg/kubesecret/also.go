package kubesecret

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// others reads the Secrets of Also, each of which has to be there.
func (s *Store) others(ctx context.Context) (all []*corev1.Secret, err error) {
	for _, place := range s.Also {
		found, err := s.find(ctx, place)
		switch {
		case apierrors.IsNotFound(err) && place.Shown != nil:
			err = rotation.Refuse(rotation.WithHint(fmt.Errorf("%s, which is to show what to accept, does not exist: %w", place.secret(), err),
				"put it back, or say in the target's config where it stands: jwt.setIn"))
		case apierrors.IsNotFound(err):
			err = rotation.Refuse(rotation.WithHint(fmt.Errorf("%s, which is to hold the same login, does not exist: %w", place.secret(), err),
				"put it back, or take it out of the target's config: also"))
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found)
	}
	return all, nil
}

// holds refuses a Secret with another credential than c.
func (p Place) holds(c rotation.Credential, found *corev1.Secret) error {
	if p.Shown != nil {
		if err := p.Shown(c, found.Data); err != nil {
			return rotation.Refuse(fmt.Errorf("%s: %w", p.secret(), err))
		}
		return nil
	}
	got, err := p.Parse(found.Data)
	switch {
	case err != nil:
		return rotation.Refuse(fmt.Errorf("%s: %w", p.secret(), err))
	case got.ID != c.ID:
		err = fmt.Errorf("%s holds the login %s, and not %s, which it is configured to hold too", p.secret(), got.ID, c.ID)
	case !got.Same(c):
		err = fmt.Errorf("%s holds another password of the login %s", p.secret(), c.ID)
	default:
		return nil
	}
	return rotation.Refuse(rotation.WithHint(err, "make them agree, or take it out of the target's config: also"))
}

// besides says of the other Secrets how they stand.
func (s *Store) besides(p pair, rec *rotation.Record) {
	for i, place := range s.Also {
		found := p.also[i]
		if place.Shown != nil {
			place.showing(found, rec)
			continue
		}
		switch v := place.version(*rec, found.Data); {
		case !onRecord(rec.Latest().View, rec.Live):
			rec.Edited = rec.Edited || place.holds(rec.Current, found) != nil
		case v == 0, v != rec.Active() && reached(*rec):
			rec.Edited = true
			if rec.Editor == "" {
				rec.Editor = place.editor(found, place.astray(*rec, found.Data))
			}
		case v != rec.Active(), found.Annotations[AnnotationDecision] != decision(rec.Intent):
			rec.Behind = append(rec.Behind, place.secret())
		}
	}
}

// reached says whether the intent's target is active, on the way there: what holds another version since then was put
// back by somebody. On the way back it may have been left by the publication that is being undone.
func reached(rec rotation.Record) bool {
	return rec.Intent == nil || rec.Active() == rec.Intent.To && !rec.Intent.Back
}

// version is the one on record that data holds throughout, the active one first; 0 if it is none.
func (p Place) version(rec rotation.Record, data map[string][]byte) rotation.Version {
	for _, v := range append([]rotation.Version{rec.Active()}, slices.Sorted(maps.Keys(rec.Live))...) {
		view := rotation.View{Active: v, Accept: []rotation.Version{v}}
		if changes, err := p.changes(view, rec.Live, data); err == nil && len(changes) == 0 {
			return v
		}
	}
	return 0
}

// decision is what says that a Secret was written under intent i. Whoever decided before i was recorded, and writes
// after, finds it changed: else a stalled operator could publish a version that is gone by then.
func decision(i *rotation.Intent) string {
	if i == nil {
		return ""
	}
	return fmt.Sprintf("%d of %s", i.Attempt, i.At.UTC().Format(time.RFC3339))
}

// publishAlso brings the other Secrets to view, or tells them of the decision alone.
func (s *Store) publishAlso(ctx context.Context, p pair, rec rotation.Record, view rotation.View) error {
	for i, place := range s.Also {
		found := p.also[i]
		changes, err := s.publishing(place, view, rec, found.Data)
		if err != nil {
			return err
		}
		if len(changes) == 0 && found.Annotations[AnnotationDecision] == decision(rec.Intent) {
			continue
		}
		if err := s.change(ctx, p, place, found, changes, map[string]any{AnnotationDecision: decision(rec.Intent)}); err != nil {
			return err
		}
	}
	return nil
}

// admit writes down the edition that another Secret was left at while the application's says view already: pods that
// started in between may hold it.
func (s *Store) admit(ctx context.Context, p pair, rec rotation.Record, view rotation.View) (pair, rotation.Record, error) {
	latest := rec.Latest()
	if latest.View.Active != view.Active {
		return p, rec, nil
	}
	for i, place := range s.Also {
		v := place.version(rec, p.also[i].Data)
		if v == 0 || v == view.Active && place.Shown == nil || place.shows(latest.View, rec, p.also[i].Data) {
			continue
		}
		written := lastWrite(p.also[i].ManagedFields)
		if written.Before(latest.Written) {
			written = latest.Written
		}
		l := p.ledger
		l.Editions = append(slices.Clone(rec.Editions), rotation.Edition{
			N: latest.N + 1, View: rotation.View{Active: v, Accept: []rotation.Version{v}}, Written: written,
		})
		l.Seal, l.Fresh = newSeal(p.values.sealKey, latest.N+1, s.keys(p.app.Data), p.app.Data), false
		app, err := s.writeApp(ctx, p, l, nil, map[string]any{})
		if err != nil {
			return p, rec, err
		}
		p.app, p.ledger = app, l
		rec.Editions = l.Editions
		return p, rec, nil
	}
	return p, rec, nil
}

// lastWrite is when a Secret was last changed, by whomever.
func lastWrite(fields []metav1.ManagedFieldsEntry) (at time.Time) {
	for _, f := range fields {
		if f.Time != nil && f.Time.After(at) {
			at = f.Time.Time
		}
	}
	return at
}
