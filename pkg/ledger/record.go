package ledger

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// record is what p says, for the domain.
func (l *Ledger) record(p snapshot) (rotation.Record, error) {
	rec := rotation.Record{
		Revision: p.revision(),
		Intent:   p.entries.Intent,
		High:     max(p.entries.High, p.values.high),
		Saved:    p.saved(),
		Names:    maps.Clone(p.entries.Names),
		Values:   l.valuesSecret(),
		Live:     maps.Clone(p.values.live),
		Gone:     maps.Clone(p.entries.Gone),
		Editions: slices.Clone(p.entries.Editions),
		Marks:    maps.Clone(p.entries.Marks),
		Skipped:  maps.Clone(p.entries.Skipped),
	}
	if p.outdated() {
		return rotation.Record{}, rotation.Refuse(rotation.WithHint(
			fmt.Errorf("%s: annotation %s is older than %s, as if restored from a copy", l.secret(), AnnotationRecord, l.valuesSecret()),
			fmt.Sprintf("put the newest one back, or remove it with `kubectl annotate -n %s secret %s %s-`: the next rotation then revokes all versions whose values are stored", l.Namespace, l.Name, AnnotationRecord)))
	}
	current, err := l.current(p)
	if err == nil {
		rec.Current = numbered(current, rec)
	}
	if p.annotationLost() {
		rec.Editions = []rotation.Edition{baseline(p, rec)}
	}
	if l.edited(p, rec) {
		rec.Edited, rec.Editor = true, l.Content.Editor(p.app, rec)
	}
	for _, s := range p.also {
		s.Holds(rec).addTo(&rec, s.String())
	}
	if err != nil && (rec.Standby() || !rec.Edited) {
		return rotation.Record{}, l.unreadable(p, err)
	}
	return rec, nil
}

// unreadable is the refusal to begin with a Secret in which there is no credential.
func (l *Ledger) unreadable(p snapshot, err error) error {
	has := "it has no key at all"
	if keys := sortedKeys(p.app.Data); len(keys) > 0 {
		has = "it has the keys " + strings.Join(keys, ", ")
	}
	return rotation.Refuse(rotation.WithHint(fmt.Errorf("%s: %w", l.secret(), err),
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
func (l *Ledger) edited(p snapshot, rec rotation.Record) bool {
	latest := rec.Latest()
	if l.Content == nil || len(rec.Editions) == 0 || p.entries.Seal.fits(p.values.sealKey, latest.N, p.app.Data) {
		return false
	}
	if !OnRecord(latest.View, rec.Live) {
		return true
	}
	changes, err := l.changes(latest.View, rec, p.app.Data, false)
	return err != nil || len(changes) > 0
}

// OnRecord says whether every version that view names has its value on record.
func OnRecord(view rotation.View, live map[rotation.Version]rotation.Credential) bool {
	for _, v := range append([]rotation.Version{view.Active}, view.Accept...) {
		if _, ok := live[v]; !ok {
			return false
		}
	}
	return true
}

// annotationLost says whether the annotated Secret was made anew by somebody since its first rotation: the second
// Secret was written when there were editions, and there are none.
func (p snapshot) annotationLost() bool { return len(p.entries.Editions) == 0 && p.values.edition > 0 }

// keyLost says whether the second Secret is not there, or was made by something else: it has no key.
func (p snapshot) keyLost() bool { return p.second == nil || len(p.values.sealKey) == 0 }

// saved is the highest version that the second Secret ever had a value of. It is made before the first edition: without
// it, any version may have had one.
func (p snapshot) saved() rotation.Version {
	if p.keyLost() && len(p.entries.Editions) > 0 {
		return max(p.entries.High, p.values.high)
	}
	return p.values.high
}

// outdated says whether the annotation is of a time before the second Secret was last written.
func (p snapshot) outdated() bool {
	return len(p.entries.Editions) > 0 && p.entries.latestN() < p.values.edition
}

// torn says whether a read may have come between two writes of another run: what it found would mean that something was
// lost.
func torn(p snapshot, rec rotation.Record, err error) bool {
	return p.outdated() || err == nil && len(rec.Lost()) > 0
}

// baseline is the edition to go on from where the annotation was lost. Its number is beyond all that can have been
// given out since the second Secret was written last, so that no label of an old template passes for a newer one.
// What is active is looked at; where the value in the Secret is on no record, the domain gives it a number.
func baseline(p snapshot, rec rotation.Record) rotation.Edition {
	active := rec.Current.V
	if active == 0 && len(rec.Live) > 0 {
		active = slices.Max(slices.Collect(maps.Keys(rec.Live)))
	}
	if active == 0 {
		active = rec.High + 1
	}
	view := rotation.View{Active: active, Accept: []rotation.Version{active}}
	return rotation.Edition{N: p.values.edition + KeptEditions, View: view}
}
