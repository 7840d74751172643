package kubesecret

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// astray are the keys of data that are not as the newest edition left them, as far as that can be told: else all that
// a rotation writes.
func (c Content) astray(rec rotation.Record, data map[string][]byte) []string {
	if latest := rec.Latest().View; ledger.OnRecord(latest, rec.Live) {
		if changes, err := c.Changes(latest, rec.Live, data, false); err == nil && len(changes) > 0 {
			return slices.Sorted(maps.Keys(changes))
		}
	}
	return c.RotatedKeys(data)
}

// editor is who wrote one of keys last, beside rotations, as the API server knows it, and what to do where it is a
// controller that will do so again.
func editor(kind string, found *corev1.Secret, keys []string) string {
	var last *metav1.ManagedFieldsEntry
	for _, entry := range found.ManagedFields {
		owned := len(managersOf(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{entry}}}, keys)) > 0
		if entry.Manager != ledger.FieldManager && owned && (last == nil || entry.Time != nil && entry.Time.After(timeOf(*last))) {
			last = &entry
		}
	}
	if last == nil {
		return ""
	}
	text := fmt.Sprintf("%s %s/%s, by %q at %s UTC", kind, found.Namespace, found.Name, last.Manager, timeOf(*last).UTC().Format(time.TimeOnly))
	i := slices.IndexFunc(controllers, func(c controller) bool { return matches(c.managers, last.Manager) })
	if i >= 0 {
		text += fmt.Sprintf(": it is %s, and would do so again; %s", controllers[i].title(found), controllers[i].hint)
	}
	return text
}

func timeOf(f metav1.ManagedFieldsEntry) time.Time {
	if f.Time == nil {
		return time.Time{}
	}
	return f.Time.Time
}
