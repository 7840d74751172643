package kubesecret

import (
	"context"
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// find reads what is at a place. A ConfigMap is taken for a Secret with the same metadata and data.
func (s *Store) find(ctx context.Context, p Place) (*corev1.Secret, error) {
	if !p.ConfigMap {
		return s.get(ctx, p.Namespace, p.Name)
	}
	found, err := s.ConfigMaps.ConfigMaps(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
	if err != nil {
		return nil, explainOf("configmaps", "get", p.Namespace, p.Name, err)
	}
	return asSecret(found), nil
}

func asSecret(m *corev1.ConfigMap) *corev1.Secret {
	data := map[string][]byte{}
	for key, text := range m.Data {
		data[key] = []byte(text)
	}
	return &corev1.Secret{ObjectMeta: m.ObjectMeta, Immutable: m.Immutable, Data: data}
}

// change is patch for what is at a place.
func (s *Store) change(ctx context.Context, all pair, p Place, found *corev1.Secret, data map[string][]byte, notes map[string]any) error {
	if !p.ConfigMap {
		_, err := s.patch(ctx, all, p.Namespace, found, data, notes)
		return err
	}
	body := map[string]any{"metadata": map[string]any{"resourceVersion": found.ResourceVersion, "annotations": notes}}
	if len(data) > 0 {
		texts := map[string]*string{} // null removes a key
		for key, value := range data {
			if texts[key] = nil; value != nil {
				text := string(value)
				texts[key] = &text
			}
		}
		body["data"] = texts
	}
	text, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encoding a change of %s: %w", p.secret(), err)
	}
	_, err = s.ConfigMaps.ConfigMaps(p.Namespace).Patch(ctx, p.Name, types.MergePatchType, text, metav1.PatchOptions{FieldManager: FieldManager})
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%s was deleted: %w", p.secret(), rotation.ErrConflict)
	case err != nil:
		return explainOf("configmaps", "patch", p.Namespace, p.Name, err)
	}
	return nil
}

// showing says of a place that shows what to accept how it stands: whatever it shows, it can be brought to what the newest edition
// says, unless it can't be read.
func (p Place) showing(found *corev1.Secret, rec *rotation.Record) {
	view := rec.Latest().View
	if !onRecord(view, rec.Live) {
		return // nothing was published yet; Preflight looks at it
	}
	changes, err := p.changes(view, rec.Live, found.Data)
	switch {
	case err != nil:
		rec.Edited = true
		if rec.Editor == "" {
			rec.Editor = p.editor(found, p.keys(found.Data))
		}
	case len(changes) > 0, found.Annotations[AnnotationDecision] != decision(rec.Intent):
		rec.Behind = append(rec.Behind, p.secret())
	}
}

// shows says whether p is for showing what to accept, and shows view.
func (p Place) shows(view rotation.View, rec rotation.Record, data map[string][]byte) bool {
	if p.Shown == nil {
		return false
	}
	changes, err := p.changes(view, rec.Live, data)
	return err == nil && len(changes) == 0
}
