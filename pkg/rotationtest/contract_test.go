package rotationtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger/ledgertest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// atRevision is the ledger of a world for whoever keeps a revision: a write fails if the world was
// written to since.
type atRevision struct {
	world  *World
	writes int // so far
}

func (l *atRevision) revision() string { return fmt.Sprint(l.writes) }

func (l *atRevision) Load(context.Context) (rotation.Record, error) {
	rec := l.world.record()
	rec.Revision = l.revision()
	return rec, nil
}

func (l *atRevision) Note(ctx context.Context, revision string, change func(*rotation.Record)) error {
	l.world.appMoved = revision != l.revision()
	err := (&operator{world: l.world, awake: true}).Note(ctx, revision, change)
	if err == nil {
		l.writes++
	}
	return err
}

func TestLedgerOfTheWorld(t *testing.T) {
	Ledger(t, func(*testing.T) LedgerFixture {
		w := newWorld(Bounds{Told: true, Pods: 1})
		return LedgerFixture{Ledger: &atRevision{world: &w}, Coarse: true}
	})
}

// atProvider is the provider of an asynchronous world, as a place.
type atProvider struct {
	world  *World
	writes int // so far
}

// provided is that place as it was found.
type provided struct {
	*atProvider
	found  World
	writes int
}

func (p *atProvider) Read(context.Context) (ledger.State, error) {
	return provided{p, *p.world, p.writes}, nil
}

func (p provided) String() string   { return "provider" }
func (p provided) Revision() string { return fmt.Sprint(p.writes) }

func (p provided) Holds(rec rotation.Record) (h ledger.Holding) {
	latest, arriving := viewOf(rec.Latest().View), false
	h.Behind, arriving = p.found.compare(uint8(rec.Intent.Attempt), latest)
	if arriving {
		h.Arriving = &rotation.Arrival{Where: "secret", For: "the controller"}
	}
	if left := p.found.provider.view; h.Behind && left != latest {
		view := left.record()
		h.Left = &view
	}
	return h
}

func (p provided) Change(_ context.Context, rec rotation.Record, v rotation.View) (bool, error) {
	view, attempt := viewOf(v), uint8(rec.Intent.Attempt)
	if p.found.provider.view == view && p.found.provider.stamp == attempt {
		return p.found.arrived(), nil
	}
	p.world.providerMoved = p.writes != p.atProvider.writes
	err := (&operator{world: p.world, awake: true}).writeProvider(view, attempt)
	if err == nil {
		p.atProvider.writes++
	}
	return false, err
}

func (p provided) Plan(rec rotation.Record, after *rotation.View, v rotation.View) ([]string, error) {
	before := p.found.provider.view
	if after != nil {
		before = viewOf(*after)
	}
	if before == viewOf(v) {
		return nil, nil
	}
	return []string{fmt.Sprintf("provider: %v", v.Active)}, nil
}

func (p provided) Inspect(current rotation.Credential) ([]string, error) {
	if current.V != rotation.Version(p.found.provider.view.active) {
		return nil, rotation.Refuse(fmt.Errorf("the provider does not hold %v", current.V))
	}
	return nil, nil
}

func TestProviderOfTheWorld(t *testing.T) {
	ledgertest.Place(t, func(*testing.T) ledgertest.PlaceFixture {
		w := newWorld(Bounds{Told: true, Pods: 1, Async: true})
		return ledgertest.PlaceFixture{
			Place:    &atProvider{world: &w},
			Live:     map[rotation.Version]rotation.Credential{1: credential(1), 2: credential(2)},
			Versions: func(*testing.T) []rotation.Version { return w.views[w.newest()].record().Accept },
			Arrive: func(t *testing.T) {
				for range 4 { // what the controller has read before may come first
					w.controller(func(_ bool, _ string, do func(*World)) { do(&w) })
				}
				if !w.arrived() {
					t.Fatal("the controller has not written what the provider holds")
				}
			},
		}
	})
}
