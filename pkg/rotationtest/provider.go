package rotationtest

import (
	"errors"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// In an asynchronous world a version is published at a provider, and a controller copies what the
// provider holds to the application's Secret: later, or never. Nothing but the controller writes
// the Secret, so the record's compare-and-swap cannot fence a publication. The provider has one of
// its own.
//
// A store has this to go by: what the provider holds, since when and under which decision, what the
// Secret holds and since when, and the decision whose publication the controller has copied last.
//
//   - It writes to the provider under the present decision, even where the provider holds the right
//     view already: an operator who was overruled, and writes later, finds the provider changed.
//   - It writes an edition down once the controller has copied that very publication, and dates it by
//     the Secret.
//   - Where the provider holds a view that is in no edition, from a publication that was overruled, it
//     writes that view down first: pods may have been handed it.
type provider struct {
	is    bool
	view  view
	stamp uint8 // the decision that it was written under last
	since uint8 // the tick at which its view came

	// the controller
	reads   bool // it has read the provider, and has not written the Secret yet
	read    view
	readAt  uint8 // the provider's stamp then
	synced  uint8 // the stamp of what it has written last
	changed uint8 // the tick at which the Secret's data came

	// the record: what is in no other place of an asynchronous world
	editions [maxNoted]edition
	noted    uint8 // the number of the newest; 0 before the first rotation
	clock    uint8 // counts what dates something
}

// edition is a rotation.Edition that can be compared.
type edition struct {
	accept       uint16
	active, tick uint8 // tick dates it
}

func (e edition) view() view { return view{e.active, e.accept} }

// maxNoted is how many editions an asynchronous world has room for.
const maxNoted = maxEditions + 2

// omission is what a store leaves out, to show that the search notices.
type omission uint8

const (
	omitsNothing omission = iota
	omitsWait             // the edition is written down at once
	omitsStamp            // nothing is written to a provider that holds the right view
	omitsLeft             // what a publication that was overruled has left is not written down
	omitsProof            // that the Secret holds the right view is enough: what the controller has read does not count
	datesLate             // an edition is dated by when it is written down
	datesEarly            // an edition is dated by when the provider was written
)

func newProvider(first view) provider {
	return provider{is: true, view: first, since: 1, changed: 1, clock: 1}
}

// latest is the newest edition on record.
func (p *provider) latest() view {
	if p.noted == 0 {
		return view{active: 1, accept: 1 << 1}
	}
	return p.editions[p.noted].view()
}

func (p *provider) note(v view, tick uint8) {
	p.noted++
	p.editions[p.noted] = edition{v.accept, v.active, tick}
}

// arrived says whether the Secret holds what the provider does, by the publication that was the
// last.
func (w *World) arrived() bool {
	return (w.provider.synced == w.provider.stamp || w.omits == omitsProof) && w.views[w.newest()] == w.provider.view
}

// fill adds to a record what an asynchronous world knows.
func (w *World) fill(r *rotation.Record) {
	p := &w.provider
	for n := uint8(1); n <= p.noted; n++ {
		e := p.editions[n]
		r.Editions = append(r.Editions, rotation.Edition{N: int(n), View: e.view().record(), Written: written(e.tick)})
	}
	behind, arriving := w.compare(w.intent.attempt, p.latest())
	if behind {
		r.Behind = append(r.Behind, "provider")
	}
	if arriving {
		r.Arriving = append(r.Arriving, rotation.Arrival{Where: "secret", Since: written(p.since), For: "the controller"})
	}
}

// compare says how the provider stands to the decision of that number, and to the newest edition.
func (w *World) compare(attempt uint8, latest view) (behind, arriving bool) {
	told := w.provider.stamp == attempt || w.omits == omitsStamp && w.provider.view == latest
	return !told, told && w.provider.view != latest && !w.arrived()
}

// errArriving ends a run that publishes again what is on its way.
var errArriving = errors.New("it was published again while it was arriving")

// publish is Publish in an asynchronous world.
func (o *operator) publish(v view) error {
	p, attempt, arrived := o.world.provider, o.world.intent.attempt, o.world.arrived()
	carried := p.view == v && (p.stamp == attempt || o.world.omits == omitsStamp && p.latest() == v)
	latest := p.latest()
	switch {
	case o.world.omits == omitsWait && latest != v:
		if err := o.noteEdition(v, func(w *World) uint8 { return w.tick() }); err != nil {
			return err
		}
	case carried && latest == v:
		return nil
	case carried && !arrived:
		return errArriving
	case carried:
		return o.noteEdition(v, func(w *World) uint8 {
			switch w.omits {
			case datesLate:
				return w.tick()
			case datesEarly:
				return w.provider.since
			}
			return max(w.provider.changed, w.provider.since)
		})
	case p.view != latest && p.view != v && o.world.omits != omitsLeft:
		if err := o.noteEdition(p.view, func(*World) uint8 { return p.since }); err != nil {
			return err
		}
	}
	return o.writeProvider(v, attempt)
}

// writeProvider has the provider hold v, under the decision of that number, unless it has changed
// since it was read.
func (o *operator) writeProvider(v view, attempt uint8) error {
	return o.effect(func(w *World) error {
		if o.wroteProvider || o.awake && w.providerMoved {
			return rotation.ErrConflict
		}
		o.wroteProvider, w.providerMoved = true, true
		o.taking(w, w.provider.view.accept&^v.accept != 0 && !w.told, "what others accept")
		if w.provider.view != v {
			w.provider.view, w.provider.since = v, w.tick()
		}
		w.provider.stamp = attempt
		return nil
	})
}

// noteEdition writes an edition down, with the tick that dates it.
func (o *operator) noteEdition(v view, tick func(*World) uint8) error {
	return o.effect(func(w *World) error {
		if err := o.writeApp(w); err != nil {
			return err
		}
		if w.provider.noted == 0 {
			w.provider.note(w.provider.latest(), 1)
		}
		w.provider.note(v, tick(w))
		return nil
	})
}

// controller are the moves of whoever copies what the provider holds. What it has read may be old
// by the time it writes.
func (w *World) controller(add func(fair bool, name string, do func(*World))) {
	p := &w.provider
	switch {
	case !p.is:
	case p.reads:
		add(true, "the controller writes the Secret", func(w *World) {
			p := &w.provider
			if w.views[w.newest()] != p.read {
				w.edition = w.newest() + 1
				w.views[w.edition], p.changed = p.read, w.tick()
			}
			p.synced, p.reads, p.read, p.readAt = p.readAt, false, view{}, 0
		})
	case !w.arrived():
		add(true, "the controller reads the provider", func(w *World) {
			p := &w.provider
			p.reads, p.read, p.readAt = true, p.view, p.stamp
		})
	}
}

// tick is a moment that something is dated by: all that happens from now on comes after it.
func (w *World) tick() uint8 {
	w.provider.clock++
	return w.provider.clock
}

// moment is the last tick: what happens now comes after it.
func (w *World) moment() uint8 {
	if w.provider.is {
		return w.provider.clock
	}
	return w.newest()
}
