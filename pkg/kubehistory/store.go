package kubehistory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const (
	suffix       = "-rotate-history"     // makes the name from that of the application's Secret
	fieldManager = "credential-rotation" // as of all that a rotation writes
	tries        = 8                     // of one write, while others write too
)

// Label marks all histories, for a list of those of the whole cluster.
const Label = "kubectl-rotate/history"

// Rules are the permissions that keeping the history of the target with that Secret takes. A rotation does without.
// Creating can't be limited to a name: the API server does not know it yet when it asks.
func Rules(secret string) []rbacv1.PolicyRule {
	groups, resources := []string{""}, []string{"configmaps"}
	return []rbacv1.PolicyRule{
		{APIGroups: groups, Resources: resources, ResourceNames: []string{secret + suffix}, Verbs: []string{"get", "patch"}},
		{APIGroups: groups, Resources: resources, Verbs: []string{"create"}},
	}
}

// Store is the history of one target.
type Store struct {
	ConfigMaps corev1client.ConfigMapsGetter
	Namespace  string
	Secret     string // the application's
}

// Load gives the entries, the oldest first; none where there is no history. What cannot be read, since a newer version of
// this program wrote it or somebody edited it, is left out.
func (s *Store) Load(ctx context.Context) ([]history.Entry, error) {
	found, err := s.ConfigMaps.ConfigMaps(s.Namespace).Get(ctx, s.name(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, s.explain("reading", err)
	}
	return history.Merge(decode(found.Data)), nil
}

// Put adds what a process tells, in a compare-and-swap: what others add in the meantime stays. Telling the same again
// changes nothing.
func (s *Store) Put(ctx context.Context, told ...history.Entry) error {
	for range tries {
		found, err := s.ConfigMaps.ConfigMaps(s.Namespace).Get(ctx, s.name(), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			err = s.create(ctx, told)
		case err == nil:
			err = s.change(ctx, found, told)
		}
		if err == nil {
			return nil
		}
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return s.explain("writing", err)
		}
	}
	return fmt.Errorf("writing the history in configmap %s/%s: %w", s.Namespace, s.name(), rotation.ErrConflict)
}

func (s *Store) create(ctx context.Context, told []history.Entry) error {
	data, err := encode(history.Merge(nil, told...))
	if err != nil || len(data) == 0 {
		return err
	}
	_, err = s.ConfigMaps.ConfigMaps(s.Namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name:        s.name(),
			Labels:      map[string]string{"app.kubernetes.io/managed-by": "kubectl-rotate", Label: "true"},
			Annotations: map[string]string{"kubernetes.io/description": "Who rotated Secret " + s.Secret + ", and how it went, kept by kubectl rotate. It holds no value."},
		},
		Data: data,
	}, metav1.CreateOptions{FieldManager: fieldManager})
	return err
}

func (s *Store) change(ctx context.Context, found *corev1.ConfigMap, told []history.Entry) error {
	known := decode(found.Data)
	next, err := encode(history.Merge(known, told...))
	if err != nil {
		return err
	}
	data := map[string]any{}
	for _, e := range known {
		if _, kept := next[e.Key()]; !kept {
			data[e.Key()] = nil
		}
	}
	for key, text := range next {
		if found.Data[key] != text {
			data[key] = text
		}
	}
	if len(data) == 0 {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": found.ResourceVersion}, "data": data})
	if err != nil {
		return err
	}
	_, err = s.ConfigMaps.ConfigMaps(s.Namespace).Patch(ctx, s.name(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: fieldManager})
	return err
}

// decode reads what it can; the rest is left as it is.
func decode(data map[string]string) (all []history.Entry) {
	for _, key := range slices.Sorted(maps.Keys(data)) {
		var e history.Entry
		if err := json.Unmarshal([]byte(data[key]), &e); err == nil && e.Key() == key && len(e.Runs) > 0 {
			all = append(all, e)
		}
	}
	return all
}

func encode(all []history.Entry) (map[string]string, error) {
	data := map[string]string{}
	for _, e := range all {
		text, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		data[e.Key()] = string(text)
	}
	return data, nil
}

func (s *Store) explain(doing string, err error) error {
	err = fmt.Errorf("%s the history in configmap %s/%s: %w", doing, s.Namespace, s.name(), err)
	if apierrors.IsForbidden(err) {
		return rotation.WithHint(err, "`kubectl rotate rbac` prints the Role that it takes; a rotation does without")
	}
	return err
}

func (s *Store) name() string { return s.Secret + suffix }
