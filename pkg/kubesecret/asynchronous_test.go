package kubesecret

import (
	"context"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// slow is a place whose consumers read what is written there only once it has come to them.
type slow struct {
	ledger.Place
	come bool
}

type slowState struct {
	ledger.State
	of *slow
}

func (p *slow) Read(ctx context.Context) (ledger.State, error) {
	s, err := p.Place.Read(ctx)
	return slowState{s, p}, err
}

func (s slowState) Holds(rec rotation.Record) ledger.Holding {
	h := s.State.Holds(rec)
	if h.Left != nil && !s.of.come {
		h.Behind, h.Arriving = false, &rotation.Arrival{Where: s.String(), For: "the copy"}
	}
	return h
}

func (s slowState) Change(ctx context.Context, rec rotation.Record, view rotation.View) (bool, error) {
	_, err := s.State.Change(ctx, rec, view)
	return s.of.come, err
}

// A place that takes its time has the edition wait for it; the Publish that finds it there writes
// the edition down.
func TestTheEditionWaitsForASlowPlace(t *testing.T) {
	server, client := serve(t, appSecret(), reportsSecret())
	s := withAlso(client.CoreV1())
	place := &slow{Place: s.Also[0]}
	s.Also = []ledger.Place{place}
	begun(t, s)
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
	rec := load(t, s)
	if len(rec.Arriving) != 1 || len(rec.Behind) > 0 || rec.Active() != 1 || server.holding(name) != "backend" {
		t.Fatalf("it is published, and the record is %+v; want it arriving, and v1 active", rec)
	}
	server.pass(time.Minute)
	place.come = true
	must(t, s.Publish(t.Context(), load(t, s).Revision, only(2)))
	if rec := load(t, s); len(rec.Arriving) > 0 || len(rec.Behind) > 0 || rec.Active() != 2 || rec.Latest().N != 2 || server.holding(name) != "backend_v2" {
		t.Errorf("it has arrived, and the record is %+v; want v2 active in edition 2", rec)
	}
}
