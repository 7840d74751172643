package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// unchanged is ErrConflict if anything of p has changed since revision.
func (l *Ledger) unchanged(p snapshot, revision string) error {
	if p.revision() != revision {
		return fmt.Errorf("%s: %w", l.secret(), rotation.ErrConflict)
	}
	return nil
}

// stage saves the value of c.
func (l *Ledger) stage(ctx context.Context, p snapshot, c rotation.Credential) error {
	if c.V < 1 || c.Value.Empty() {
		return fmt.Errorf("%s: %v has no number or no value to save", l.secret(), c.V)
	}
	if _, live := p.values.live[c.V]; live || p.entries.given(c.V) {
		return fmt.Errorf("%s: %v was given out already: %w", l.secret(), c.V, rotation.ErrConflict)
	}
	data, err := staged(c)
	if err != nil {
		return fmt.Errorf("saving %v: %w", c.V, err)
	}
	_, err = l.writeSecond(ctx, p, counted(data, max(p.values.high, c.V), p.edition()))
	return err
}

// retire writes the tombstone of v, and then removes its value.
func (l *Ledger) retire(ctx context.Context, p snapshot, v rotation.Version) error {
	c, live := p.values.live[v]
	_, gone := p.entries.Gone[v]
	switch {
	case gone && !live:
		return nil
	case !live:
		return fmt.Errorf("%s: %v is on no record", l.secret(), v)
	}
	if current, err := l.current(p); err == nil && current.Same(c) {
		return fmt.Errorf("%s still holds %v: its value can't be retired", l.secret(), v)
	}
	if !gone {
		if err := l.bury(ctx, p, c); err != nil {
			return err
		}
	}
	_, err := l.writeSecond(ctx, p, counted(forgotten(v), p.values.high, p.edition()))
	return err
}

// bury writes the tombstone of c.
func (l *Ledger) bury(ctx context.Context, p snapshot, c rotation.Credential) error {
	g := rotation.Tombstone{ID: c.ID, At: l.now().UTC()}
	if p.entries.Intent != nil {
		g.Attempt = p.entries.Intent.Attempt
	}
	e := p.entries
	e.Gone = maps.Clone(e.Gone)
	if e.Gone == nil {
		e.Gone = map[rotation.Version]rotation.Tombstone{}
	}
	e.Gone[c.V] = g
	e.Fresh = false
	_, err := l.writeApp(ctx, p, e, nil, map[string]any{})
	return err
}

// edition is the number that the second Secret takes down: the newest, and never a lower one than
// before.
func (p snapshot) edition() int { return max(p.entries.latestN(), p.values.edition) }

// writeApp changes the annotated Secret in one compare-and-swap: data, the record, other
// annotations.
func (l *Ledger) writeApp(ctx context.Context, p snapshot, e entries, data map[string][]byte, notes map[string]any) (*corev1.Secret, error) {
	e.Names = l.names(p, e)
	text, err := e.encode()
	if err != nil {
		return nil, fmt.Errorf("%s: encoding the record: %w", l.secret(), err)
	}
	notes[AnnotationRecord] = text
	return PatchSecret(ctx, l.Secrets, p.app, data, notes, l.held(p, p.app, data))
}

// names are the IDs to write down under e. The one in use has its value in the annotated Secret
// alone until it is staged.
func (l *Ledger) names(p snapshot, e entries) map[rotation.Version]string {
	names := map[rotation.Version]string{}
	if e.Intent != nil {
		for _, v := range []rotation.Version{e.Intent.From, e.Intent.To} {
			if id, ok := p.entries.Names[v]; ok {
				names[v] = id
			}
		}
	}
	for v, c := range p.values.live {
		names[v] = c.ID
	}
	if n := len(e.Editions); n > 0 && l.Content != nil {
		active := e.Editions[n-1].View.Active
		current, err := l.current(p)
		if _, known := names[active]; !known && err == nil {
			names[active] = current.ID
		}
	}
	return names
}

// writeSecond changes the second Secret in one compare-and-swap, or makes it. It has a key from
// then on.
func (l *Ledger) writeSecond(ctx context.Context, p snapshot, data map[string][]byte) (*corev1.Secret, error) {
	notes := l.told(p, data)
	if p.keyLost() {
		key, err := newSealKey(l.random())
		if err != nil {
			return nil, fmt.Errorf("making a key for %s: %w", l.secret(), err)
		}
		data[keySeal] = key
	}
	if p.second != nil {
		return PatchSecret(ctx, l.Secrets, p.second, data, notes, l.held(p, p.second, data))
	}
	said := map[string]string{"kubernetes.io/description": "The values of Secret " + l.Name + " by version, kept by kubectl rotate."}
	for key, text := range notes {
		said[key] = fmt.Sprint(text)
	}
	made, err := l.Secrets.Secrets(l.Namespace).Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:        Record(l.Name),
			Labels:      map[string]string{"app.kubernetes.io/managed-by": "kubectl-rotate"},
			Annotations: said,
		},
		Type: SecretType,
		Data: data,
	}, metav1.CreateOptions{FieldManager: FieldManager})
	if err != nil {
		return nil, Explain("secrets", "create", l.Namespace, Record(l.Name), err, l.held(p, nil, data)...)
	}
	return made, nil
}

// PatchSecret is a JSON merge patch of a Secret as it was found: keys that it does not name stay as
// they are, and a Secret that has changed since is ErrConflict. None of the values in held stays in
// an error.
func PatchSecret(ctx context.Context, secrets corev1client.SecretsGetter, found *corev1.Secret, data map[string][]byte, annotations map[string]any, held [][]byte) (*corev1.Secret, error) {
	metadata := map[string]any{"resourceVersion": found.ResourceVersion}
	if len(annotations) > 0 {
		metadata["annotations"] = annotations
	}
	body := map[string]any{"metadata": metadata}
	if len(data) > 0 {
		body["data"] = data
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encoding a change of secret %s/%s: %w", found.Namespace, found.Name, err)
	}
	written, err := secrets.Secrets(found.Namespace).Patch(ctx, found.Name, types.MergePatchType, text,
		metav1.PatchOptions{FieldManager: FieldManager})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("secret %s/%s was deleted: %w", found.Namespace, found.Name, rotation.ErrConflict)
	}
	if err != nil {
		return nil, Explain("secrets", "patch", found.Namespace, found.Name, err, held...)
	}
	return written, nil
}

// held are the values that a read has found and those of data, which are about to be written to
// found, or to a new second Secret where that is nil. They are kept out of errors.
func (l *Ledger) held(p snapshot, found *corev1.Secret, data map[string][]byte) [][]byte {
	all := append(slices.Collect(maps.Values(p.app.Data)), p.values.sealKey)
	for key, value := range data {
		if found != p.second || strings.HasSuffix(key, ".value") || key == keySeal { // what else is in the second one is no secret
			all = append(all, value)
		}
	}
	for _, c := range p.values.live {
		all = append(all, c.Value.Reveal())
	}
	if c, err := l.current(p); err == nil { // inside of a connection string
		all = append(all, c.Value.Reveal())
	}
	return all
}
