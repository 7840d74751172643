package rotationtest

import (
	"context"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// StoreFixture is a store for one test, over a target that was never rotated.
type StoreFixture struct {
	Store rotation.Store
	// Read is what a consumer that starts now would use.
	Read func(t *testing.T) rotation.Credential
	// Edit changes the value as somebody would who knows nothing of rotations.
	Edit func(t *testing.T)
}

// Store is the contract of a rotation.Store, with that of its Ledger. open makes a new fixture for each of its tests.
func Store(t *testing.T, open func(t *testing.T) StoreFixture) {
	Ledger(t, func(t *testing.T) LedgerFixture { return LedgerFixture{Ledger: open(t).Store} })
	for _, c := range []struct {
		name string
		test func(*testing.T, *storeTest)
	}{
		{"what was never rotated is version 1 without a number", testNeverRotated},
		{"a value is staged once", testStage},
		{"publishing changes what consumers read, and says so in an edition", testPublish},
		{"a write decided on an old revision changes nothing", testFenced},
		{"a change of mind fences off every publication decided before", testChangeOfMind},
		{"an edit by somebody else is seen", testEdited},
		{"a retired value is gone, and its number stays taken", testRetire},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := open(t)
			c.test(t, &storeTest{ledgerTest{LedgerFixture{Ledger: f.Store}, t}, f})
		})
	}
}

type storeTest struct {
	ledgerTest
	StoreFixture
}

// begun notes the first intent, from v1 to v2, and saves both values.
func (s *storeTest) begun() {
	s.t.Helper()
	s.must("note", s.note(s.load().Revision, firstIntent))
	current := s.load().Current
	current.V = 1
	s.must("stage v1", s.Store.Stage(context.Background(), s.load().Revision, current))
	s.must("stage v2", s.Store.Stage(context.Background(), s.load().Revision, fresh2()))
}

func fresh2() rotation.Credential {
	return rotation.Credential{V: 2, ID: "login_v2", Value: rotation.NewSecret([]byte("value-of-v2")), Meta: map[string]string{"owner": "login"}}
}

func testNeverRotated(t *testing.T, s *storeTest) {
	rec := s.load()
	if rec.Current.V != 0 || rec.Current.ID == "" || rec.Current.Value.Empty() {
		t.Errorf("current is %+v, want the value in use, without a number", rec.Current)
	}
	if rec.Intent != nil || len(rec.Live) != 0 || len(rec.Editions) != 0 || rec.Edited {
		t.Errorf("record is %+v, want an empty one", rec)
	}
}

func testStage(t *testing.T, s *storeTest) {
	ctx := context.Background()
	s.begun()
	rec := s.load()
	got, want := rec.Live[2], fresh2()
	if !got.Same(want) || got.V != 2 || got.Meta["owner"] != "login" {
		t.Errorf("v2 came back as %+v, want %+v", got, want)
	}
	if rec.Current.V != 1 || rec.Saved != 2 {
		t.Errorf("the value in use is %v, want v1; the highest saved is %v, want v2", rec.Current.V, rec.Saved)
	}
	other := fresh2()
	other.Value = rotation.NewSecret([]byte("another"))
	s.conflict("staging v2 again", s.Store.Stage(ctx, rec.Revision, other))
	if !s.load().Live[2].Same(want) {
		t.Error("v2 was overwritten")
	}
}

func testPublish(t *testing.T, s *storeTest) {
	s.begun()
	before := s.Read(t)
	view := rotation.View{Active: 2, Accept: []rotation.Version{2}}
	s.must("publish", s.Store.Publish(context.Background(), s.load().Revision, view))
	if got := s.Read(t); !got.Same(fresh2()) || got.Same(before) {
		t.Errorf("consumers read %v, want v2", got.ID)
	}
	rec := s.load()
	if e := rec.Latest(); e.N != 2 || e.View.Active != 2 || !e.View.Accepts(2) || e.Written.IsZero() {
		t.Errorf("the newest edition is %+v", e)
	}
	if rec.Edited || rec.Current.V != 2 {
		t.Errorf("edited %v, current %v; want v2 as published", rec.Edited, rec.Current.V)
	}
}

func testFenced(t *testing.T, s *storeTest) {
	ctx := context.Background()
	s.begun()
	stale := s.load().Revision
	s.must("publish", s.Store.Publish(ctx, stale, rotation.View{Active: 2, Accept: []rotation.Version{2}}))
	s.conflict("publishing again", s.Store.Publish(ctx, stale, rotation.View{Active: 1, Accept: []rotation.Version{1}}))
	s.conflict("noting", s.Store.Note(ctx, stale, func(r *rotation.Record) { r.High = 9 }))
	s.conflict("retiring", s.Store.Retire(ctx, stale, 1))
	rec := s.load()
	if rec.Active() != 2 || rec.High == 9 || len(rec.Gone) != 0 || !s.Read(t).Same(fresh2()) {
		t.Errorf("a fenced write got through: %+v", rec)
	}
}

func testChangeOfMind(t *testing.T, s *storeTest) {
	ctx := context.Background()
	s.begun()
	stale, before := s.load().Revision, s.Read(t)
	s.must("abort", s.note(stale, rotation.Intent{From: 2, To: 1, Attempt: 2, Back: true}))
	s.conflict("publishing v2", s.Store.Publish(ctx, stale, rotation.View{Active: 2, Accept: []rotation.Version{2}}))
	s.conflict("retiring v1", s.Store.Retire(ctx, stale, 1))
	if rec := s.load(); !s.Read(t).Same(before) || len(rec.Live) != 2 {
		t.Errorf("the operator who was overruled got through: %+v", rec)
	}
}

func testEdited(t *testing.T, s *storeTest) {
	s.begun()
	s.Edit(t)
	if rec := s.load(); !rec.Edited || rec.Current.V != 0 {
		t.Errorf("edited %v, current %v; want an edit seen and a value without a number", rec.Edited, rec.Current.V)
	}
}

func testRetire(t *testing.T, s *storeTest) {
	ctx := context.Background()
	s.begun()
	s.must("publish", s.Store.Publish(ctx, s.load().Revision, rotation.View{Active: 2, Accept: []rotation.Version{2}}))
	old := s.load().Live[1]
	s.must("retire", s.Store.Retire(ctx, s.load().Revision, 1))
	s.must("retire again", s.Store.Retire(ctx, s.load().Revision, 1))
	rec := s.load()
	if _, live := rec.Live[1]; live {
		t.Error("v1 still has a value")
	}
	if g := rec.Gone[1]; g.ID != old.ID || g.Attempt != 1 || g.At.IsZero() {
		t.Errorf("the tombstone of v1 is %+v", g)
	}
	if rec.Saved != 2 {
		t.Errorf("the highest version that was saved is %v, want v2", rec.Saved)
	}
	if !rec.Standby() {
		t.Errorf("the record is not in standby: %+v", rec)
	}
	s.conflict("staging v1 again", s.Store.Stage(ctx, rec.Revision, old))
}
