package ledger

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Store is a [rotation.Store]: a ledger whose annotated Secret is what consumers read, and the
// other places that the credential is published to. An edition is written down only when all of
// them hold what it says.
type Store struct {
	Ledger
	Also []Place
}

var _ rotation.Store = (*Store)(nil)

// Load is that of the Ledger, with what the other places hold.
func (s *Store) Load(ctx context.Context) (rotation.Record, error) {
	return s.load(func() (snapshot, error) { return s.readAll(ctx) })
}

// Note is that of the Ledger.
func (s *Store) Note(ctx context.Context, revision string, change func(*rotation.Record)) error {
	p, err := s.readAll(ctx)
	if err != nil {
		return err
	}
	return s.note(ctx, p, revision, change)
}

// readAll reads the other places, and then both Secrets.
func (s *Store) readAll(ctx context.Context) (snapshot, error) {
	var also []State
	for _, place := range s.Also {
		found, err := place.Read(ctx)
		if err != nil {
			return snapshot{}, err
		}
		also = append(also, found)
	}
	return s.read(ctx, also)
}

// at is readAll, with ErrConflict if anything has changed since revision.
func (s *Store) at(ctx context.Context, revision string) (snapshot, error) {
	p, err := s.readAll(ctx)
	if err == nil {
		err = s.unchanged(p, revision)
	}
	return p, err
}

// Stage adds the value of c to the second Secret, which it makes if there is none. The annotated
// Secret stays as it is. A number that was given out, to a value that is live or gone, is
// ErrConflict.
func (s *Store) Stage(ctx context.Context, revision string, c rotation.Credential) error {
	p, err := s.at(ctx, revision)
	if err != nil {
		return err
	}
	return s.stage(ctx, p, c)
}

// Retire writes a tombstone for v into the annotation, where a change of mind would make it
// conflict, and then removes the value from the second Secret. A version that is gone in both stays
// as it is. The value that the annotated Secret holds is refused.
func (s *Store) Retire(ctx context.Context, revision string, v rotation.Version) error {
	p, err := s.at(ctx, revision)
	if err != nil {
		return err
	}
	return s.retire(ctx, p, v)
}

// Publish writes what has to change in the annotated Secret for it to say view, and a new edition
// with the seal of the data, in one write. The time of the edition is that of the API server, see
// writtenAt. The other places are written before, each in a compare-and-swap of its own: a crash in
// between leaves some of them ahead of the edition, which [rotation.Record.Behind] says. Where a
// place takes its time, the edition is left to a later Publish.
func (s *Store) Publish(ctx context.Context, revision string, view rotation.View) error {
	p, err := s.at(ctx, revision)
	if err != nil {
		return err
	}
	rec, err := s.record(p)
	if err != nil {
		return err
	}
	if !OnRecord(view, rec.Live) {
		return fmt.Errorf("%s: a version of %v is not saved", s.secret(), view.Accept)
	}
	changes, err := s.changes(view, rec, p.app.Data, rec.Edited)
	if err != nil {
		return err
	}
	if p, rec, err = s.admit(ctx, p, rec, view); err != nil {
		return err
	}
	arrived := true
	for _, place := range p.also {
		there, err := place.Change(ctx, rec, view)
		if err != nil {
			return err
		}
		arrived = arrived && there
	}
	if !arrived {
		return nil // the edition is written by the Publish that finds it there
	}
	latest := rec.Latest()
	if len(s.Also) > 0 && len(changes) == 0 && len(rec.Editions) > 0 && latest.View.Active == view.Active && slices.Equal(latest.View.Accept, view.Accept) {
		return nil // the other places alone had something to be told
	}
	next := p.entries
	next.Editions = append(slices.Clone(rec.Editions), rotation.Edition{N: latest.N + 1, View: view, Written: s.now().UTC()})
	if len(rec.Editions) == 0 {
		next.Editions = slices.Insert(next.Editions, 0, latest)
	}
	data := Merged(p.app.Data, changes)
	keys := append(s.sealed(data), slices.Collect(maps.Keys(changes))...)
	next.Seal = newSeal(p.values.sealKey, latest.N+1, keys, data)
	next.Fresh = true
	notes := map[string]any{}
	if view.Active != latest.View.Active {
		notes[AnnotationLastRotated] = s.now().UTC().Format(time.RFC3339)
	}
	_, err = s.writeApp(ctx, p, next, changes, notes)
	return err
}

// admit writes down the edition that another place was left at while the annotated Secret says view
// already: pods that started in between may hold it.
func (s *Store) admit(ctx context.Context, p snapshot, rec rotation.Record, view rotation.View) (snapshot, rotation.Record, error) {
	latest := rec.Latest()
	if latest.View.Active != view.Active {
		return p, rec, nil
	}
	for _, place := range p.also {
		h := place.Holds(rec)
		if h.Left == nil {
			continue
		}
		written := h.Since
		if written.Before(latest.Written) {
			written = latest.Written
		}
		e := p.entries
		e.Editions = append(slices.Clone(rec.Editions), rotation.Edition{N: latest.N + 1, View: *h.Left, Written: written})
		e.Seal, e.Fresh = newSeal(p.values.sealKey, latest.N+1, s.sealed(p.app.Data), p.app.Data), false
		app, err := s.writeApp(ctx, p, e, nil, map[string]any{})
		if err != nil {
			return p, rec, err
		}
		p.app, p.entries = app, e
		rec.Editions = e.Editions
		return p, rec, nil
	}
	return p, rec, nil
}

// Plan says which keys Publish would change for view, one a line and no value in any. rec has the
// values, those that are not saved yet too; an edition of rec that is not written yet counts as
// written. It changes nothing.
func (s *Store) Plan(ctx context.Context, rec rotation.Record, view rotation.View) (lines []string, err error) {
	if !OnRecord(view, rec.Live) {
		return nil, fmt.Errorf("%s: a version of %v has no value", s.secret(), view.Accept)
	}
	p, err := s.readAll(ctx)
	if err != nil {
		return nil, err
	}
	var after *rotation.View
	if latest := rec.Latest(); latest.N > max(1, p.entries.latestN()) && OnRecord(latest.View, rec.Live) {
		after = &latest.View
	}
	for _, place := range p.also {
		more, err := place.Plan(rec, after, view)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	data := p.app.Data
	if after != nil {
		changes, err := s.changes(*after, rec, data, false)
		if err != nil {
			return nil, err
		}
		data = Merged(data, changes)
	}
	changes, err := s.changes(view, rec, data, false)
	if err != nil {
		return nil, err
	}
	return append(lines, append(Lines(s.secret(), changes, data), fmt.Sprintf("%s: set annotation %s", s.secret(), AnnotationRecord))...), nil
}

// Preflight refuses what can't be written or what somebody else would write back. The notes are
// what an operator should know before a rotation begins. It changes nothing.
func (s *Store) Preflight(ctx context.Context) (notes []string, err error) {
	p, err := s.readAll(ctx)
	if err != nil {
		return nil, err
	}
	rec, err := s.record(p)
	if err != nil {
		return nil, err
	}
	if s.Content != nil {
		if notes, err = s.Content.Inspect(p.app); err != nil {
			return nil, err
		}
	}
	for _, place := range p.also {
		more, err := place.Inspect(rec.Current)
		if err != nil {
			return nil, err
		}
		notes = append(notes, more...)
	}
	return notes, nil
}

// Merged is data with changes made.
func Merged(data, changes map[string][]byte) map[string][]byte {
	all := maps.Clone(data)
	if all == nil {
		all = map[string][]byte{}
	}
	for key, value := range changes {
		all[key] = value
		if value == nil {
			delete(all, key)
		}
	}
	return all
}

// Lines say what changes do to the data of the object of that name, one key a line.
func Lines(name string, changes, data map[string][]byte) (lines []string) {
	for _, key := range sortedKeys(changes) {
		verb := "change"
		if _, there := data[key]; changes[key] == nil {
			verb = "remove"
		} else if !there {
			verb = "add"
		}
		lines = append(lines, fmt.Sprintf("%s: %s key %s", name, verb, key))
	}
	return lines
}
