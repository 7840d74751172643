package kubesecret

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Plan says which keys Publish would change for view, one a line and no value in any. rec has the values, those
// that are not saved yet too; an edition of rec that is not written yet counts as written. It changes nothing.
func (s *Store) Plan(ctx context.Context, rec rotation.Record, view rotation.View) ([]string, error) {
	if !onRecord(view, rec.Live) {
		return nil, fmt.Errorf("%s: a version of %v has no value", s.secret(), view.Accept)
	}
	p, err := s.look(ctx)
	if err != nil {
		return nil, err
	}
	var lines []string
	for i, place := range append(slices.Clone(s.Also), s.Place) {
		data := append(slices.Clone(p.also), p.app)[i].Data
		if data, err = p.ledger.after(place, rec, data); err != nil {
			return nil, err
		}
		changes, err := place.changes(view, rec.Live, data)
		if err != nil {
			return nil, err
		}
		for _, key := range sortedKeys(changes) {
			lines = append(lines, fmt.Sprintf("%s: %s key %s", place.secret(), verb(changes[key], data, key), key))
		}
	}
	return append(lines, fmt.Sprintf("%s: set annotation %s", s.secret(), AnnotationRecord)), nil
}

// after is data as it will be once the newest edition of rec is written; as it is where that is written already.
func (l ledger) after(p Place, rec rotation.Record, data map[string][]byte) (map[string][]byte, error) {
	latest, written := rec.Latest(), rotation.Record{Editions: l.Editions}.Latest()
	if latest.N <= written.N || !onRecord(latest.View, rec.Live) {
		return data, nil
	}
	changes, err := p.changes(latest.View, rec.Live, data)
	return merged(data, changes), err
}

// verb is what writing value does to key.
func verb(value []byte, data map[string][]byte, key string) string {
	_, there := data[key]
	switch {
	case value == nil:
		return "remove"
	case !there:
		return "add"
	}
	return "change"
}
