package ledger

import (
	"context"
	"maps"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// note writes what change makes of the record, if p is still at revision.
//
// Where the published data stands in the same object, a change of intent makes every Publish and
// every Retire conflict that was decided before it.
func (l *Ledger) note(ctx context.Context, p snapshot, revision string, change func(*rotation.Record)) error {
	if err := l.unchanged(p, revision); err != nil {
		return err
	}
	rec, err := l.record(p)
	if err != nil {
		return err
	}
	next := rec.Clone()
	change(&next)
	if p.keyLost() && p.grown(next) {
		if p, err = l.open(ctx, p); err != nil {
			return err
		}
	}
	_, err = l.writeApp(ctx, p, l.noted(p, rec, next), nil, map[string]any{})
	return err
}

// noted are p's entries with what next has made of rec.
func (l *Ledger) noted(p snapshot, rec, next rotation.Record) entries {
	e := p.entries
	e.Intent, e.High, e.Editions = next.Intent, next.High, next.Editions
	e.Marks, e.Skipped = maps.Clone(next.Marks), maps.Clone(next.Skipped)
	e.Fresh = false // the time of the newest edition, as Load gave it, becomes its recorded one
	if p.grown(next) {
		n := next.Latest()
		e.Seal = newSeal(p.values.sealKey, n.N, l.sealed(p.app.Data), p.app.Data)
		e.Fresh = !n.Written.IsZero() && n.N != rec.Latest().N
	}
	return e
}

// grown says whether next has an edition that does not stand in the annotation yet.
func (p snapshot) grown(next rotation.Record) bool {
	return len(next.Editions) > 0 && next.Latest().N != p.entries.latestN()
}

// open makes the second Secret, with no value in it, or gives the one that is there a new key.
func (l *Ledger) open(ctx context.Context, p snapshot) (snapshot, error) {
	second, err := l.writeSecond(ctx, p, map[string][]byte{})
	if err != nil {
		return p, err
	}
	p.second = second
	p.values, err = decodeValues(second.Data)
	return p, err
}
