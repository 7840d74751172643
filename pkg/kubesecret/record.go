package kubesecret

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// record is what p says, for the domain.
func (s *Store) record(p pair) (rotation.Record, error) {
	rec := rotation.Record{
		Revision: p.revision(),
		Intent:   p.ledger.Intent,
		High:     max(p.ledger.High, p.values.high),
		Saved:    p.saved(),
		Names:    maps.Clone(p.ledger.Names),
		Values:   fmt.Sprintf("secret %s/%s", s.Namespace, Record(s.Name)),
		Live:     maps.Clone(p.values.live),
		Gone:     maps.Clone(p.ledger.Gone),
		Editions: slices.Clone(p.ledger.Editions),
		Marks:    maps.Clone(p.ledger.Marks),
		Skipped:  maps.Clone(p.ledger.Skipped),
	}
	if p.outdated() {
		return rotation.Record{}, rotation.Refuse(rotation.WithHint(
			fmt.Errorf("%s: annotation %s is older than secret %s/%s, as if restored from a copy", s.secret(), AnnotationRecord, s.Namespace, Record(s.Name)),
			fmt.Sprintf("put the newest one back, or remove it with `kubectl annotate -n %s secret %s %s-`: the next rotation then revokes all versions whose values are stored", s.Namespace, s.Name, AnnotationRecord)))
	}
	current, err := s.Parse(p.app.Data)
	if err == nil {
		rec.Current = numbered(current, rec)
	}
	if p.annotationLost() {
		rec.Editions = []rotation.Edition{baseline(p, rec)}
	}
	if s.edited(p, rec) {
		rec.Edited, rec.Editor = true, s.editor(p.app, s.astray(rec, p.app.Data))
	}
	s.besides(p, &rec)
	if err != nil && (rec.Standby() || !rec.Edited) {
		return rotation.Record{}, s.unreadable(p, err)
	}
	return rec, nil
}

// unreadable is the refusal to begin with a Secret in which there is no credential.
func (s *Store) unreadable(p pair, err error) error {
	has := "it has no key at all"
	if keys := sortedKeys(p.app.Data); len(keys) > 0 {
		has = "it has the keys " + strings.Join(keys, ", ")
	}
	return rotation.Refuse(rotation.WithHint(fmt.Errorf("%s: %w", s.secret(), err),
		has+"; "+cmp.Or(rotation.Hint(err), "say in the target's config which of them to rotate")))
}

// numbered is c as the version on record that it is, the active one if there are several; without a number if it
// is none of them.
func numbered(c rotation.Credential, rec rotation.Record) rotation.Credential {
	if active, ok := rec.Live[rec.Active()]; ok && active.Same(c) {
		return active
	}
	for _, v := range slices.Backward(slices.Sorted(maps.Keys(rec.Live))) {
		if rec.Live[v].Same(c) {
			return rec.Live[v]
		}
	}
	c.V = 0
	return c
}

// edited says whether the rotated keys are no longer as the newest edition left them. What has changed
// without changing what the edition says, such as the host in a connection string, is no edit.
func (s *Store) edited(p pair, rec rotation.Record) bool {
	if len(rec.Editions) == 0 || p.ledger.Seal.fits(p.values.sealKey, rec.Latest().N, p.app.Data) {
		return false
	}
	view := rec.Latest().View
	if !onRecord(view, rec.Live) {
		return true
	}
	changes, err := s.changes(view, rec.Live, p.app.Data)
	return err != nil || len(changes) > 0
}

// onRecord says whether every version that view names has its value on record.
func onRecord(view rotation.View, live map[rotation.Version]rotation.Credential) bool {
	for _, v := range append([]rotation.Version{view.Active}, view.Accept...) {
		if _, ok := live[v]; !ok {
			return false
		}
	}
	return true
}

// changes are the keys that have to be written for data to say what view says; nil removes one.
func (p Place) changes(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
	return p.differing(p.Render, view, live, data)
}

// mending are changes of data that somebody else may have edited.
func (p Place) mending(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
	changes, err := p.changes(view, live, data)
	if err != nil && p.Mend != nil {
		return p.differing(p.Mend, view, live, data)
	}
	return changes, err
}

func (p Place) differing(render func(rotation.View, map[rotation.Version]rotation.Credential, map[string][]byte) (map[string][]byte, error),
	view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
	rendered, err := render(view, maps.Clone(live), maps.Clone(data))
	if err != nil {
		return nil, fmt.Errorf("writing %v into %s: %w", view.Active, p.secret(), err)
	}
	maps.DeleteFunc(rendered, func(key string, value []byte) bool {
		now, there := data[key]
		return there == (value != nil) && bytes.Equal(now, value)
	})
	return rendered, nil
}

// annotationLost says whether the application's Secret was made anew by somebody since its first rotation: the second
// Secret was written when there were editions, and there are none.
func (p pair) annotationLost() bool { return len(p.ledger.Editions) == 0 && p.values.edition > 0 }

// keyLost says whether the second Secret is not there, or was made by something else: it has no key.
func (p pair) keyLost() bool { return p.second == nil || len(p.values.sealKey) == 0 }

// saved is the highest version that the second Secret ever had a value of. It is made before the first edition: without
// it, any version may have had one.
func (p pair) saved() rotation.Version {
	if p.keyLost() && len(p.ledger.Editions) > 0 {
		return max(p.ledger.High, p.values.high)
	}
	return p.values.high
}

// outdated says whether the annotation is of a time before the second Secret was last written.
func (p pair) outdated() bool {
	return len(p.ledger.Editions) > 0 && p.ledger.latestN() < p.values.edition
}

// torn says whether a look may have come between two writes of another run: what it found would mean that something was
// lost.
func torn(p pair, rec rotation.Record, err error) bool {
	return p.outdated() || err == nil && len(rec.Lost()) > 0
}

// baseline is the edition to go on from where the annotation was lost. Its number is beyond all that can have been
// given out since the second Secret was written last, so that no label of an old template passes for a newer one.
// What is active is looked at; where the value in the Secret is on no record, the domain gives it a number.
func baseline(p pair, rec rotation.Record) rotation.Edition {
	active := rec.Current.V
	if active == 0 && len(rec.Live) > 0 {
		active = slices.Max(slices.Collect(maps.Keys(rec.Live)))
	}
	if active == 0 {
		active = rec.High + 1
	}
	view := rotation.View{Active: active, Accept: []rotation.Version{active}}
	return rotation.Edition{N: p.values.edition + keptEditions, View: view}
}
