package kubesecret

import (
	"context"
	"maps"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Note changes intent, high, editions, marks and what was skipped, which stand in the application's Secret, in one write. A new edition
// is sealed with the data as it is; for the first of all the second Secret is made before, with the key for that.
//
// Since the published data stands in the same object, a change of intent makes every Publish and every Retire conflict
// that was decided before it.
func (s *Store) Note(ctx context.Context, revision string, change func(*rotation.Record)) error {
	p, err := s.at(ctx, revision)
	if err != nil {
		return err
	}
	rec, err := s.record(p)
	if err != nil {
		return err
	}
	next := rec.Clone()
	change(&next)
	if p.keyLost() && p.grown(next) {
		if p, err = s.open(ctx, p); err != nil {
			return err
		}
	}
	_, err = s.writeApp(ctx, p, s.noted(p, rec, next), nil, map[string]any{})
	return err
}

// noted is p's ledger with what next has made of rec.
func (s *Store) noted(p pair, rec, next rotation.Record) ledger {
	l := p.ledger
	l.Intent, l.High, l.Editions = next.Intent, next.High, next.Editions
	l.Marks, l.Skipped = maps.Clone(next.Marks), maps.Clone(next.Skipped)
	l.Fresh = false // the time of the newest edition, as Load gave it, becomes its recorded one
	if p.grown(next) {
		n := next.Latest()
		l.Seal = newSeal(p.values.sealKey, n.N, s.keys(p.app.Data), p.app.Data)
		l.Fresh = !n.Written.IsZero() && n.N != rec.Latest().N
	}
	return l
}

// grown says whether next has an edition that does not stand in the annotation yet.
func (p pair) grown(next rotation.Record) bool {
	return len(next.Editions) > 0 && next.Latest().N != p.ledger.latestN()
}

// open makes the second Secret, with no value in it, or gives the one that is there a new key.
func (s *Store) open(ctx context.Context, p pair) (pair, error) {
	second, err := s.writeSecond(ctx, p, map[string][]byte{})
	if err != nil {
		return p, err
	}
	p.second = second
	p.values, err = decodeValues(second.Data)
	return p, err
}
