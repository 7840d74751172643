package kubesecret

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Secret is a [ledger.Place] beside the application's Secret: one that holds the same credential,
// or shows which versions to accept.
type Secret struct {
	Secrets   corev1client.SecretsGetter
	Namespace string
	Name      string
	Content
}

// ConfigMap is a [ledger.Place] that shows which versions to accept: what it shows is no secret.
type ConfigMap struct {
	ConfigMaps corev1client.ConfigMapsGetter
	Namespace  string
	Name       string
	Content
}

var (
	_ ledger.Place = Secret{}
	_ ledger.Place = ConfigMap{}
)

// state is one of them as it was found. A ConfigMap is taken for a Secret with the same metadata
// and data.
type state struct {
	Content
	kind  string // "secret", "configmap"
	found *corev1.Secret
	patch func(ctx context.Context, data map[string][]byte, annotations map[string]any, held [][]byte) error
}

// Read gets the Secret.
func (p Secret) Read(ctx context.Context) (ledger.State, error) {
	found, err := ledger.GetSecret(ctx, p.Secrets, p.Namespace, p.Name)
	if err != nil {
		return nil, p.missing("secret", p.Namespace, p.Name, err)
	}
	return state{p.Content, "secret", found, func(ctx context.Context, data map[string][]byte, annotations map[string]any, held [][]byte) error {
		_, err := ledger.PatchSecret(ctx, p.Secrets, found, data, annotations, held)
		return err
	}}, nil
}

// Read gets the ConfigMap.
func (p ConfigMap) Read(ctx context.Context) (ledger.State, error) {
	found, err := p.ConfigMaps.ConfigMaps(p.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
	if err != nil {
		return nil, p.missing("configmap", p.Namespace, p.Name, ledger.Explain("configmaps", "get", p.Namespace, p.Name, err))
	}
	data := map[string][]byte{}
	for key, text := range found.Data {
		data[key] = []byte(text)
	}
	secret := &corev1.Secret{ObjectMeta: found.ObjectMeta, Immutable: found.Immutable, Data: data}
	return state{p.Content, "configmap", secret, func(ctx context.Context, data map[string][]byte, annotations map[string]any, _ [][]byte) error {
		return p.patch(ctx, found, data, annotations)
	}}, nil
}

// patch is [ledger.PatchSecret] for a ConfigMap.
func (p ConfigMap) patch(ctx context.Context, found *corev1.ConfigMap, data map[string][]byte, annotations map[string]any) error {
	body := map[string]any{"metadata": map[string]any{"resourceVersion": found.ResourceVersion, "annotations": annotations}}
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
		return fmt.Errorf("encoding a change of configmap %s/%s: %w", p.Namespace, p.Name, err)
	}
	_, err = p.ConfigMaps.ConfigMaps(p.Namespace).Patch(ctx, p.Name, types.MergePatchType, text, metav1.PatchOptions{FieldManager: ledger.FieldManager})
	switch {
	case apierrors.IsNotFound(err):
		return fmt.Errorf("configmap %s/%s was deleted: %w", p.Namespace, p.Name, rotation.ErrConflict)
	case err != nil:
		return ledger.Explain("configmaps", "patch", p.Namespace, p.Name, err)
	}
	return nil
}

// missing is the refusal for an object that is not there, and err for any other error of reading
// it.
func (c Content) missing(kind, namespace, name string, err error) error {
	role, hint := "hold the same login", "put it back, or take it out of the target's config: also"
	if c.Shown != nil {
		role, hint = "show what to accept", "put it back, or say in the target's config where it stands: jwt.setIn"
	}
	if !apierrors.IsNotFound(err) {
		return err
	}
	return rotation.Refuse(rotation.WithHint(fmt.Errorf("%s %s/%s, which is to %s, does not exist: %w", kind, namespace, name, role, err), hint))
}

// String names it in errors.
func (s state) String() string {
	return fmt.Sprintf("%s %s/%s", s.kind, s.found.Namespace, s.found.Name)
}

// Revision names what was found. The UID is there for a cluster restored from a backup.
func (s state) Revision() string {
	return fmt.Sprintf("%s.%s", s.found.UID, s.found.ResourceVersion)
}

// Holds says how the object stands.
func (s state) Holds(rec rotation.Record) ledger.Holding {
	if s.Shown != nil {
		return s.showing(rec)
	}
	v, latest := s.version(rec, s.found.Data), rec.Latest().View
	h := ledger.Holding{Since: lastWrite(s.found.ManagedFields)}
	switch {
	case !ledger.OnRecord(latest, rec.Live):
		h.Edited = s.holds(rec.Current) != nil
	case v == 0, v != latest.Active && reached(rec):
		h.Edited, h.Editor = true, editor(s.kind, s.found, s.astray(rec, s.found.Data))
	default:
		h.Behind = v != latest.Active || !s.decided(rec)
	}
	if v != 0 && v != latest.Active {
		left := alone(v)
		h.Left = &left
	}
	return h
}

// showing is Holds for an object that shows what to accept: whatever it shows, it can be brought to
// what the newest edition says, unless it can't be read.
func (s state) showing(rec rotation.Record) (h ledger.Holding) {
	latest := rec.Latest().View
	h.Since = lastWrite(s.found.ManagedFields)
	if v := s.version(rec, s.found.Data); v != 0 && !s.says(latest, rec, s.found.Data) {
		left := alone(v)
		h.Left = &left
	}
	if !ledger.OnRecord(latest, rec.Live) {
		return h // nothing was published yet; Inspect looks at it
	}
	switch changes, err := s.Changes(latest, rec.Live, s.found.Data, false); {
	case err != nil:
		h.Edited, h.Editor = true, editor(s.kind, s.found, s.RotatedKeys(s.found.Data))
	default:
		h.Behind = len(changes) > 0 || !s.decided(rec)
	}
	return h
}

// reached says whether the intent's target is active, on the way there: what holds another version
// since then was put back by somebody. On the way back it may have been left by the publication
// that is being undone.
func reached(rec rotation.Record) bool {
	return rec.Intent == nil || rec.Active() == rec.Intent.To && !rec.Intent.Back
}

// decided says whether the object carries the present decision.
func (s state) decided(rec rotation.Record) bool {
	return s.found.Annotations[ledger.AnnotationDecision] == ledger.Decision(rec.Intent)
}

// Change brings the object to view, or has it carry the decision alone.
func (s state) Change(ctx context.Context, rec rotation.Record, view rotation.View) (arrived bool, err error) {
	changes, err := s.changes(view, rec, s.found.Data, rec.Edited)
	if err != nil || len(changes) == 0 && s.decided(rec) {
		return true, err
	}
	held := slices.AppendSeq(slices.Collect(maps.Values(s.found.Data)), maps.Values(changes))
	for _, c := range rec.Live {
		held = append(held, c.Value.Reveal())
	}
	return true, s.patch(ctx, changes, map[string]any{ledger.AnnotationDecision: ledger.Decision(rec.Intent)}, held)
}

// Plan says which keys Change would write.
func (s state) Plan(rec rotation.Record, after *rotation.View, view rotation.View) ([]string, error) {
	data := s.found.Data
	if after != nil {
		changes, err := s.changes(*after, rec, data, false)
		if err != nil {
			return nil, err
		}
		data = ledger.Merged(data, changes)
	}
	changes, err := s.changes(view, rec, data, false)
	return ledger.Lines(s.String(), changes, data), err
}

// changes are the keys to write, with the object named in an error.
func (s state) changes(view rotation.View, rec rotation.Record, data map[string][]byte, mend bool) (map[string][]byte, error) {
	changes, err := s.Changes(view, rec.Live, data, mend)
	if err != nil {
		return nil, fmt.Errorf("writing %v into %s: %w", view.Active, s, err)
	}
	return changes, nil
}

// Inspect refuses an object that can't be written, or that does not hold or show c.
func (s state) Inspect(c rotation.Credential) (notes []string, err error) {
	if notes, err = inspect(s.kind, s.found, s.RotatedKeys(s.found.Data)); err != nil {
		return nil, err
	}
	return notes, s.holds(c)
}

// holds refuses an object with another credential than c.
func (s state) holds(c rotation.Credential) error {
	if s.Shown != nil {
		if err := s.Shown(c, s.found.Data); err != nil {
			return rotation.Refuse(fmt.Errorf("%s: %w", s, err))
		}
		return nil
	}
	got, err := s.Parse(s.found.Data)
	switch {
	case err != nil:
		return rotation.Refuse(fmt.Errorf("%s: %w", s, err))
	case got.ID != c.ID:
		err = fmt.Errorf("%s holds the login %s, and not %s, which it is configured to hold too", s, got.ID, c.ID)
	case !got.Same(c):
		err = fmt.Errorf("%s holds another password of the login %s", s, c.ID)
	default:
		return nil
	}
	return rotation.Refuse(rotation.WithHint(err, "make them agree, or take it out of the target's config: also"))
}

// lastWrite is when an object was last changed, by whomever.
func lastWrite(fields []metav1.ManagedFieldsEntry) (at time.Time) {
	for _, f := range fields {
		if f.Time != nil && f.Time.After(at) {
			at = f.Time.Time
		}
	}
	return at
}
