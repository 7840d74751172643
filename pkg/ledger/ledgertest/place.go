// Package ledgertest holds what every implementation of a [ledger.Place] must pass.
package ledgertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// PlaceFixture is a place for one test. It holds or shows v1, and carries no decision.
type PlaceFixture struct {
	Place ledger.Place
	// Live are the values of v1 and v2.
	Live map[rotation.Version]rotation.Credential
	// Versions are those that consumers of the place hold or accept now.
	Versions func(t *testing.T) []rotation.Version
	// Edit changes what the place holds as somebody would who knows nothing of rotations; nil:
	// nobody can.
	Edit func(t *testing.T)
	// Arrive has what was written come to the consumers; nil where Change itself does that.
	Arrive func(t *testing.T)
}

// Place is the contract of a ledger.Place. open makes a new fixture for each of its tests.
func Place(t *testing.T, open func(t *testing.T) PlaceFixture) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *placeTest)
	}{
		{"reading changes nothing", testRead},
		{"consumers read what was changed", testChange},
		{"a change can be repeated", testRepeat},
		{"a change of what was read before another one is a conflict", testFenced},
		{"a decision is carried where nothing else changes", testDecision},
		{"what an overruled publication left is told", testLeft},
		{"an edit by somebody else is seen", testEdited},
		{"what takes its time is waited for", testArrives},
		{"a plan names the place and shows no value", testPlan},
		{"another credential than the one in use is refused", testInspect},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(t, &placeTest{PlaceFixture: open(t), t: t})
		})
	}
}

type placeTest struct {
	PlaceFixture
	t *testing.T
}

var (
	there = rotation.Intent{From: 1, To: 2, Attempt: 1, At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	back  = rotation.Intent{From: 2, To: 1, Attempt: 2, Back: true, At: there.At.Add(time.Hour)}
)

func only(v rotation.Version) rotation.View {
	return rotation.View{Active: v, Accept: []rotation.Version{v}}
}

// record has an edition for each of the versions, the newest last.
func (p *placeTest) record(i rotation.Intent, editions ...rotation.Version) rotation.Record {
	rec := rotation.Record{Intent: &i, Live: p.Live, Current: p.Live[editions[len(editions)-1]]}
	for n, v := range editions {
		rec.Editions = append(rec.Editions, rotation.Edition{N: n + 1, View: only(v)})
	}
	return rec
}

func (p *placeTest) read() ledger.State {
	p.t.Helper()
	s, err := p.Place.Read(context.Background())
	if err != nil {
		p.t.Fatalf("read: %v", err)
	}
	return s
}

// change brings the place to v alone, and has it arrive.
func (p *placeTest) change(rec rotation.Record, v rotation.Version) {
	p.t.Helper()
	if _, err := p.read().Change(context.Background(), rec, only(v)); err != nil {
		p.t.Fatalf("change: %v", err)
	}
	if p.Arrive != nil {
		p.Arrive(p.t)
	}
}

// reads wants consumers to be at v alone.
func (p *placeTest) reads(v rotation.Version) {
	p.t.Helper()
	if got := p.Versions(p.t); !slices.Equal(got, []rotation.Version{v}) {
		p.t.Errorf("consumers are at %v, want %v", got, v)
	}
}

// agrees wants the place to hold what rec says.
func (p *placeTest) agrees(rec rotation.Record) {
	p.t.Helper()
	if h := p.read().Holds(rec); h.Edited || h.Behind || h.Left != nil || h.Arriving != nil {
		p.t.Errorf("it holds %+v, want what the newest edition says", h)
	}
}

func testRead(t *testing.T, p *placeTest) {
	if first := p.read(); first.Revision() != p.read().Revision() || first.String() == "" {
		t.Errorf("%q has another revision at each read, or no name", first)
	}
	p.reads(1)
}

func testChange(t *testing.T, p *placeTest) {
	before := p.read()
	p.change(p.record(there, 1), 2)
	p.reads(2)
	p.agrees(p.record(there, 1, 2))
	if p.read().Revision() == before.Revision() {
		t.Error("the revision has not changed")
	}
	if h := before.Holds(p.record(there, 1, 2)); !h.Behind && !h.Edited {
		t.Errorf("what was read before has changed: %+v", h)
	}
}

func testRepeat(t *testing.T, p *placeTest) {
	p.change(p.record(there, 1), 2)
	before := p.read().Revision()
	p.change(p.record(there, 1, 2), 2)
	if p.read().Revision() != before {
		t.Error("it was written again")
	}
	p.reads(2)
}

func (p *placeTest) conflict(s ledger.State, rec rotation.Record, v rotation.Version) {
	p.t.Helper()
	before := p.read().Revision()
	if _, err := s.Change(context.Background(), rec, only(v)); !errors.Is(err, rotation.ErrConflict) {
		p.t.Fatalf("changing what was read before: %v, want %v", err, rotation.ErrConflict)
	}
	if p.read().Revision() != before {
		p.t.Error("the change was made")
	}
}

func testFenced(_ *testing.T, p *placeTest) {
	stale := p.read()
	p.change(p.record(there, 1), 2)
	p.conflict(stale, p.record(back, 1), 1)
	p.reads(2)
}

func testDecision(t *testing.T, p *placeTest) {
	stale := p.read() // whoever is to publish v2 stalls here, and is overruled
	rec := p.record(back, 1)
	if h := p.read().Holds(rec); !h.Behind || h.Edited {
		t.Errorf("before the decision is carried it holds %+v, want it behind", h)
	}
	p.change(rec, 1)
	p.agrees(rec)
	p.conflict(stale, p.record(there, 1), 2)
	p.reads(1)
}

func testLeft(t *testing.T, p *placeTest) {
	p.change(p.record(there, 1), 2)
	rec := p.record(back, 1)
	h := p.read().Holds(rec)
	if h.Edited || !h.Behind || h.Left == nil || h.Left.Active != 2 {
		t.Fatalf("it holds %+v, want it behind and left at v2", h)
	}
	p.change(rec, 1)
	p.reads(1)
	p.agrees(rec)
}

func testEdited(t *testing.T, p *placeTest) {
	if p.Edit == nil {
		t.Skip("nobody can edit this place")
	}
	p.change(p.record(there, 1), 2)
	rec := p.record(there, 1, 2)
	p.Edit(t)
	if h := p.read().Holds(rec); !h.Edited && !h.Behind {
		t.Errorf("an edit is not seen: %+v", h)
	}
	rec.Edited = true // which the operator has agreed to overwrite
	p.change(rec, 2)
	p.reads(2)
	p.agrees(rec)
}

func testArrives(t *testing.T, p *placeTest) {
	rec := p.record(there, 1)
	arrived, err := p.read().Change(context.Background(), rec, only(2))
	if err != nil || arrived != (p.Arrive == nil) {
		t.Fatalf("arrived is %v, %v", arrived, err)
	}
	if p.Arrive == nil {
		p.reads(2)
		return
	}
	p.reads(1)
	if h := p.read().Holds(rec); h.Arriving == nil || h.Arriving.For == "" || h.Behind || h.Edited {
		t.Errorf("it holds %+v, want it arriving", h)
	}
	p.Arrive(t)
	p.reads(2)
	if h := p.read().Holds(rec); h.Arriving != nil || h.Behind {
		t.Errorf("it holds %+v, want it to have arrived", h)
	}
	before := p.read()
	if arrived, err := before.Change(context.Background(), rec, only(2)); !arrived || err != nil || p.read().Revision() != before.Revision() {
		t.Errorf("arrived is %v, %v; want it there, with nothing written", arrived, err)
	}
}

func testPlan(t *testing.T, p *placeTest) {
	s := p.read()
	lines, err := s.Plan(p.record(there, 1), nil, only(2))
	if text := strings.Join(lines, "\n"); err != nil || !strings.Contains(text, s.String()) || strings.Contains(text, string(p.Live[2].Value.Reveal())) {
		t.Errorf("the plan is %q, %v", text, err)
	}
	before := only(2)
	if lines, err := s.Plan(p.record(there, 1, 2), &before, only(2)); err != nil || len(lines) > 0 {
		t.Errorf("once v2 is written the plan is %q, %v; want nothing", lines, err)
	}
	p.reads(1)
}

func testInspect(t *testing.T, p *placeTest) {
	if _, err := p.read().Inspect(p.Live[1]); err != nil {
		t.Errorf("the credential in use: %v", err)
	}
	_, err := p.read().Inspect(p.Live[2])
	if !errors.Is(err, rotation.ErrRefused) || strings.Contains(err.Error(), string(p.Live[2].Value.Reveal())) {
		t.Errorf("another credential: %v, want a refusal without a value", err)
	}
}
