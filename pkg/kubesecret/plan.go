package kubesecret

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Plan says which keys Publish would change for view, one a line and no value in any. rec has the values, those
// that are not saved yet too. It changes nothing.
func (s *Store) Plan(ctx context.Context, rec rotation.Record, view rotation.View) ([]string, error) {
	if !onRecord(view, rec.Live) {
		return nil, fmt.Errorf("%s: a version of %v has no value", s.secret(), view.Accept)
	}
	var lines []string
	for _, place := range append(slices.Clone(s.Also), s.Place) {
		found, err := s.find(ctx, place)
		if err != nil {
			return nil, err
		}
		changes, err := place.changes(view, rec.Live, found.Data)
		if err != nil {
			return nil, err
		}
		for _, key := range sortedKeys(changes) {
			lines = append(lines, fmt.Sprintf("%s: %s key %s", place.secret(), verb(changes[key], found.Data, key), key))
		}
	}
	return append(lines, fmt.Sprintf("%s: set annotation %s", s.secret(), AnnotationRecord)), nil
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
