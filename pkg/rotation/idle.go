package rotation

import (
	"context"
	"maps"
	"slices"
)

// anew restarts the wait for what was issued under the old version, when a pod is found that may
// issue under it again. It is nil in an emergency, which does not wait for that.
type anew struct{ core }

// marked says whether the record has the time since when no pod issues under the old version.
func (a *anew) marked(rec Record) bool { return a != nil && !a.mark(rec, MarkIdle).IsZero() }

// due says whether such a pod was found.
func (a *anew) due(rec Record, s State) bool {
	return a.marked(rec) && slices.ContainsFunc(s.Items, func(i Item) bool { return i.Phase == ToDo })
}

// forget removes that time from the record.
func (a *anew) forget(ctx context.Context, rec Record) error {
	return a.Store.Note(ctx, rec.Revision, func(r *Record) {
		r.Marks = maps.Clone(r.Marks)
		delete(r.Marks, MarkIdle)
	})
}
