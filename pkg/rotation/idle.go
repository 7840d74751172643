package rotation

import (
	"context"
	"maps"
	"slices"
)

// anew has what is waited for begin anew where nobody issued under the old version, and a pod is found that may again.
// It is nil where that is not waited for.
type anew struct{ core }

// marked says whether it is on record since when nobody issues under the old version.
func (a *anew) marked(rec Record) bool { return a != nil && !a.mark(rec, MarkIdle).IsZero() }

// due says whether a pod was found that has to be moved, although nobody was to be any more.
func (a *anew) due(rec Record, s State) bool {
	return a.marked(rec) && slices.ContainsFunc(s.Items, func(i Item) bool { return i.Phase == ToDo })
}

// forget takes that off the record.
func (a *anew) forget(ctx context.Context, rec Record) error {
	return a.Store.Note(ctx, rec.Revision, func(r *Record) {
		r.Marks = maps.Clone(r.Marks)
		delete(r.Marks, MarkIdle)
	})
}
