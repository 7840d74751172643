package rotation

import (
	"context"
	"maps"
	"time"
)

// keptSkips is how many are kept of one decision: an annotation has room for so much, and nobody
// has as many gates.
const keptSkips = 30

// skips records what the operator decided to go on without.
type skips struct {
	ledger Ledger
	by     string
	now    func() time.Time
}

// skip records that the operator has decided to go on without what has these names. It can be a
// Step's Skip.
func (s skips) skip(ctx context.Context, rec Record, names []string) error {
	return s.ledger.Note(ctx, rec.Revision, func(r *Record) { r.Skipped = s.with(r.Skipped, names) })
}

// with is skipped with more names.
func (s skips) with(skipped map[string]Skip, names []string) map[string]Skip {
	next := maps.Clone(skipped)
	if next == nil {
		next = map[string]Skip{}
	}
	for _, name := range names {
		if len(next) < keptSkips {
			next[name] = Skip{By: s.by, At: s.now()}
		}
	}
	return next
}
