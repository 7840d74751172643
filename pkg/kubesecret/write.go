package kubesecret

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Stage adds the value of c to the second Secret, which it makes if there is none. The application's Secret stays as
// it is. A number that was given out, to a value that is live or gone, is ErrConflict.
func (s *Store) Stage(ctx context.Context, revision string, c rotation.Credential) error {
	p, err := s.at(ctx, revision)
	if err != nil {
		return err
	}
	if c.V < 1 || c.Value.Empty() {
		return fmt.Errorf("%s: %v has no number or no value to save", s.secret(), c.V)
	}
	if _, live := p.values.live[c.V]; live || p.ledger.given(c.V) {
		return fmt.Errorf("%s: %v was given out already: %w", s.secret(), c.V, rotation.ErrConflict)
	}
	data, err := staged(c)
	if err != nil {
		return fmt.Errorf("saving %v: %w", c.V, err)
	}
	_, err = s.writeSecond(ctx, p, counted(data, max(p.values.high, c.V), p.edition()))
	return err
}

// Retire writes a tombstone for v into the application's Secret, where a change of mind would make it conflict, and
// then removes the value from the second one. A version that is gone in both stays as it is. The value
// that the application's Secret holds is refused.
func (s *Store) Retire(ctx context.Context, revision string, v rotation.Version) error {
	p, err := s.at(ctx, revision)
	if err != nil {
		return err
	}
	c, live := p.values.live[v]
	_, gone := p.ledger.Gone[v]
	switch {
	case gone && !live:
		return nil
	case !live:
		return fmt.Errorf("%s: %v is on no record", s.secret(), v)
	}
	if current, err := s.Parse(p.app.Data); err == nil && current.Same(c) {
		return fmt.Errorf("%s still holds %v: its value can't be retired", s.secret(), v)
	}
	if !gone {
		if err := s.bury(ctx, p, c); err != nil {
			return err
		}
	}
	_, err = s.writeSecond(ctx, p, counted(forgotten(v), p.values.high, p.edition()))
	return err
}

// bury writes the tombstone of c.
func (s *Store) bury(ctx context.Context, p pair, c rotation.Credential) error {
	g := rotation.Tombstone{ID: c.ID, At: s.now().UTC()}
	if p.ledger.Intent != nil {
		g.Attempt = p.ledger.Intent.Attempt
	}
	l := p.ledger
	l.Gone = maps.Clone(l.Gone)
	if l.Gone == nil {
		l.Gone = map[rotation.Version]rotation.Tombstone{}
	}
	l.Gone[c.V] = g
	l.Fresh = false
	_, err := s.writeApp(ctx, p, l, nil, map[string]any{})
	return err
}

// Publish writes what has to change in the application's Secret for it to say view, and a new edition with the seal
// of the data, in one write. The time of the edition is that of the API server, see writtenAt. The other Secrets are
// written before, each in a compare-and-swap of its own: a crash in between leaves some of them ahead of the edition,
// which [rotation.Record.Behind] says.
func (s *Store) Publish(ctx context.Context, revision string, view rotation.View) error {
	p, err := s.at(ctx, revision)
	if err != nil {
		return err
	}
	rec, err := s.record(p)
	if err != nil {
		return err
	}
	if !onRecord(view, rec.Live) {
		return fmt.Errorf("%s: a version of %v is not saved", s.secret(), view.Accept)
	}
	changes, err := s.publishing(s.Place, view, rec, p.app.Data)
	if err != nil {
		return err
	}
	if p, rec, err = s.admit(ctx, p, rec, view); err != nil {
		return err
	}
	if err := s.publishAlso(ctx, p, rec, view); err != nil {
		return err
	}
	next, latest := p.ledger, rec.Latest()
	if len(s.Also) > 0 && len(changes) == 0 && len(rec.Editions) > 0 && latest.View.Active == view.Active && slices.Equal(latest.View.Accept, view.Accept) {
		return nil // the others alone had something to be told
	}
	next.Editions = append(slices.Clone(rec.Editions), rotation.Edition{N: latest.N + 1, View: view, Written: s.now().UTC()})
	if len(rec.Editions) == 0 {
		next.Editions = slices.Insert(next.Editions, 0, latest)
	}
	data := merged(p.app.Data, changes)
	keys := append(s.keys(data), slices.Collect(maps.Keys(changes))...)
	next.Seal = newSeal(p.values.sealKey, latest.N+1, keys, data)
	next.Fresh = true
	notes := map[string]any{}
	if view.Active != latest.View.Active {
		notes[AnnotationLastRotated] = s.now().UTC().Format(time.RFC3339)
	}
	_, err = s.writeApp(ctx, p, next, changes, notes)
	return err
}

// publishing are the changes of one Secret for it to say view. What somebody else has edited is overwritten: whoever
// publishes then has agreed to that.
func (s *Store) publishing(place Place, view rotation.View, rec rotation.Record, data map[string][]byte) (map[string][]byte, error) {
	if rec.Edited {
		return place.mending(view, rec.Live, data)
	}
	return place.changes(view, rec.Live, data)
}

// merged is data with changes made.
func merged(data, changes map[string][]byte) map[string][]byte {
	all := maps.Clone(data)
	if all == nil {
		all = map[string][]byte{}
	}
	for key, value := range changes {
		all[key] = value
		if value == nil {
			delete(all, key)
		}
	}
	return all
}

// edition is the number that the second Secret takes down: the newest, and never a lower one than before.
func (p pair) edition() int { return max(p.ledger.latestN(), p.values.edition) }

// writeApp changes the application's Secret in one compare-and-swap: data, the record, other annotations.
func (s *Store) writeApp(ctx context.Context, p pair, l ledger, data map[string][]byte, notes map[string]any) (*corev1.Secret, error) {
	l.Names = s.names(p, l)
	text, err := l.encode()
	if err != nil {
		return nil, fmt.Errorf("%s: encoding the record: %w", s.secret(), err)
	}
	notes[AnnotationRecord] = text
	return s.patch(ctx, p, s.Namespace, p.app, data, notes)
}

// names are the IDs to write down under l. The one in use has its value in the Secret alone until it is staged.
func (s *Store) names(p pair, l ledger) map[rotation.Version]string {
	names := map[rotation.Version]string{}
	if l.Intent != nil {
		for _, v := range []rotation.Version{l.Intent.From, l.Intent.To} {
			if id, ok := p.ledger.Names[v]; ok {
				names[v] = id
			}
		}
	}
	for v, c := range p.values.live {
		names[v] = c.ID
	}
	if n := len(l.Editions); n > 0 {
		active := l.Editions[n-1].View.Active
		current, err := s.Parse(p.app.Data)
		if _, known := names[active]; !known && err == nil {
			names[active] = current.ID
		}
	}
	return names
}

// writeSecond changes the second Secret in one compare-and-swap, or makes it. It has a key from then on.
func (s *Store) writeSecond(ctx context.Context, p pair, data map[string][]byte) (*corev1.Secret, error) {
	notes := s.told(p, data)
	if p.keyLost() {
		key, err := newSealKey(s.random())
		if err != nil {
			return nil, fmt.Errorf("making a key for %s: %w", s.secret(), err)
		}
		data[keySeal] = key
	}
	if p.second != nil {
		return s.patch(ctx, p, s.Namespace, p.second, data, notes)
	}
	said := map[string]string{"kubernetes.io/description": "The values of Secret " + s.Name + " by version, kept by kubectl rotate."}
	for key, text := range notes {
		said[key] = fmt.Sprint(text)
	}
	made, err := s.Secrets.Secrets(s.Namespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:        s.Name + suffix,
			Labels:      map[string]string{"app.kubernetes.io/managed-by": "kubectl-rotate"},
			Annotations: said,
		},
		Type: recordType,
		Data: data,
	}, metav1.CreateOptions{FieldManager: FieldManager})
	if err != nil {
		return nil, explain("create", s.Namespace, s.Name+suffix, err, s.held(p, nil, data)...)
	}
	return made, nil
}

// patch is a JSON merge patch of one Secret of p as it was found: keys that it does not name stay as they are, and a
// Secret that has changed since is ErrConflict.
func (s *Store) patch(ctx context.Context, p pair, namespace string, found *corev1.Secret, data map[string][]byte, notes map[string]any) (*corev1.Secret, error) {
	metadata := map[string]any{"resourceVersion": found.ResourceVersion}
	if len(notes) > 0 {
		metadata["annotations"] = notes
	}
	body := map[string]any{"metadata": metadata}
	if len(data) > 0 {
		body["data"] = data
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encoding a change of secret %s/%s: %w", namespace, found.Name, err)
	}
	written, err := s.Secrets.Secrets(namespace).Patch(ctx, found.Name, types.MergePatchType, text,
		metav1.PatchOptions{FieldManager: FieldManager})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("secret %s/%s was deleted: %w", namespace, found.Name, rotation.ErrConflict)
	}
	if err != nil {
		return nil, explain("patch", namespace, found.Name, err, s.held(p, found, data)...)
	}
	return written, nil
}

// held are the values that a look has found and those of data, which are about to be written to found, or to a new second Secret where that
// is nil. They are kept out of errors.
func (s *Store) held(p pair, found *corev1.Secret, data map[string][]byte) [][]byte {
	all := append(slices.Collect(maps.Values(p.app.Data)), p.values.sealKey)
	for key, value := range data {
		if found != p.second || strings.HasSuffix(key, ".value") || key == keySeal { // what else is in the second one is no secret
			all = append(all, value)
		}
	}
	for i, found := range p.also {
		if !s.Also[i].ConfigMap {
			all = slices.AppendSeq(all, maps.Values(found.Data))
		}
	}
	for _, c := range p.values.live {
		all = append(all, c.Value.Reveal())
	}
	if c, err := s.Parse(p.app.Data); err == nil { // inside of a connection string
		all = append(all, c.Value.Reveal())
	}
	return all
}
