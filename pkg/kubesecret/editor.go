package kubesecret

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// astray are the keys of data that are not as the newest edition left them, as far as that can be told: else all that
// a rotation writes.
func (p Place) astray(rec rotation.Record, data map[string][]byte) []string {
	if onRecord(rec.Latest().View, rec.Live) {
		if changes, err := p.changes(rec.Latest().View, rec.Live, data); err == nil && len(changes) > 0 {
			return sortedKeys(changes)
		}
	}
	return p.keys(data)
}

// editor is who wrote one of keys last, beside rotations, as the API server knows it, and what to do where it is a
// controller that will do so again.
func (p Place) editor(found *corev1.Secret, keys []string) string {
	var last *metav1.ManagedFieldsEntry
	for _, entry := range found.ManagedFields {
		owned := len(managersOf(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{ManagedFields: []metav1.ManagedFieldsEntry{entry}}}, keys)) > 0
		if entry.Manager != FieldManager && owned && (last == nil || entry.Time != nil && entry.Time.After(timeOf(*last))) {
			last = &entry
		}
	}
	if last == nil {
		return ""
	}
	text := fmt.Sprintf("%s, by %q at %s UTC", p.secret(), last.Manager, timeOf(*last).UTC().Format(time.TimeOnly))
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
