package rotationtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// LedgerFixture is a ledger for one test, over a target that was never rotated.
type LedgerFixture struct {
	Ledger rotation.Ledger
	// Coarse is true of a ledger that keeps of names and times only what a rotation depends on, as
	// a [World] does.
	Coarse bool
}

// Ledger is the contract of a rotation.Ledger. open makes a new fixture for each of its tests.
func Ledger(t *testing.T, open func(t *testing.T) LedgerFixture) {
	for _, c := range []struct {
		name string
		test func(*testing.T, *ledgerTest)
	}{
		{"nothing is noted at first", testNothingNoted},
		{"what is noted comes back", testNoted},
		{"names and times come back", testNotedExactly},
		{"a record that was loaded stays as it was", testLoadedStays},
		{"each note makes another revision", testRevisions},
		{"a note decided on an old revision changes nothing", testNoteFenced},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.test(t, &ledgerTest{LedgerFixture: open(t), t: t})
		})
	}
}

type ledgerTest struct {
	LedgerFixture
	t *testing.T
}

func (l *ledgerTest) load() rotation.Record {
	l.t.Helper()
	rec, err := l.Ledger.Load(context.Background())
	l.must("load", err)
	return rec
}

func (l *ledgerTest) must(what string, err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatalf("%s: %v", what, err)
	}
}

func (l *ledgerTest) conflict(what string, err error) {
	l.t.Helper()
	if !errors.Is(err, rotation.ErrConflict) {
		l.t.Fatalf("%s: %v, want %v", what, err, rotation.ErrConflict)
	}
}

// note notes an intent as begin does.
func (l *ledgerTest) note(revision string, i rotation.Intent) error {
	return l.Ledger.Note(context.Background(), revision, func(r *rotation.Record) {
		if len(r.Editions) == 0 {
			r.Editions = []rotation.Edition{r.Latest()}
		}
		r.Intent, r.High, r.Marks = &i, max(r.High, i.To), map[string]time.Time{}
	})
}

var firstIntent = rotation.Intent{From: 1, To: 2, Attempt: 1, By: "alice", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}

func testNothingNoted(t *testing.T, l *ledgerTest) {
	if rec := l.load(); rec.Intent != nil || len(rec.Live) != 0 || len(rec.Gone) != 0 || len(rec.Editions) != 0 || rec.Edited {
		t.Errorf("record is %+v, want an empty one", rec)
	}
}

func testNoted(t *testing.T, l *ledgerTest) {
	l.must("note", l.note(l.load().Revision, firstIntent))
	l.must("mark", l.Ledger.Note(context.Background(), l.load().Revision, func(r *rotation.Record) {
		r.Marks = map[string]time.Time{rotation.MarkQuarantined: firstIntent.At}
	}))
	rec := l.load()
	i := rec.Intent
	if i == nil || i.From != 1 || i.To != 2 || i.Attempt != 1 || i.Back || i.Compromised {
		t.Errorf("intent is %+v, want %+v", i, firstIntent)
	}
	if rec.High != 2 || rec.Latest().N != 1 || rec.Active() != 1 || rec.Marks[rotation.MarkQuarantined].IsZero() {
		t.Errorf("record is %+v", rec)
	}
	if rec.Edited {
		t.Error("the first edition is how the target was found, but it counts as edited")
	}
	l.must("abort", l.note(rec.Revision, rotation.Intent{From: 2, To: 1, Attempt: 2, Back: true}))
	if rec := l.load(); !rec.Intent.Back || rec.Intent.Attempt != 2 || len(rec.Marks) != 0 {
		t.Errorf("after an abort the record is %+v, want its intent and no mark", rec)
	}
}

func testNotedExactly(t *testing.T, l *ledgerTest) {
	if l.Coarse {
		t.Skip("this ledger keeps no names and times")
	}
	at := firstIntent.At
	l.must("note", l.note(l.load().Revision, firstIntent))
	l.must("mark", l.Ledger.Note(context.Background(), l.load().Revision, func(r *rotation.Record) {
		r.Marks = map[string]time.Time{rotation.MarkQuarantined: at}
		r.Skipped = map[string]rotation.Skip{"backup": {By: "alice", At: at}}
	}))
	rec := l.load()
	if *rec.Intent != firstIntent || !rec.Marks[rotation.MarkQuarantined].Equal(at) {
		t.Errorf("intent is %+v and the marks %v, want %+v", rec.Intent, rec.Marks, firstIntent)
	}
	if skip := rec.Skipped["backup"]; skip.By != "alice" || !skip.At.Equal(at) || len(rec.Skipped) != 1 {
		t.Errorf("skipped is %+v", rec.Skipped)
	}
}

func testLoadedStays(t *testing.T, l *ledgerTest) {
	l.must("note", l.note(l.load().Revision, firstIntent))
	before := l.load()
	l.must("note more", l.Ledger.Note(context.Background(), before.Revision, func(r *rotation.Record) {
		r.Intent.Attempt = 9
		r.Marks = map[string]time.Time{rotation.MarkIdle: firstIntent.At}
	}))
	if before.Intent.Attempt != 1 || len(before.Marks) != 0 {
		t.Errorf("a later note has changed it: %+v", before)
	}
}

func testRevisions(t *testing.T, l *ledgerTest) {
	seen := map[string]bool{}
	for n := 1; n <= 3; n++ {
		revision := l.load().Revision
		if seen[revision] || revision != l.load().Revision {
			t.Fatalf("revision %q is not that of one state", revision)
		}
		seen[revision] = true
		next := firstIntent
		next.Attempt += n // the same once more is no write at an API server
		l.must("note", l.note(revision, next))
	}
}

func testNoteFenced(t *testing.T, l *ledgerTest) {
	l.must("note", l.note(l.load().Revision, firstIntent))
	stale := l.load().Revision
	l.must("abort", l.note(stale, rotation.Intent{From: 2, To: 1, Attempt: 2, Back: true}))
	l.conflict("noting", l.Ledger.Note(context.Background(), stale, func(r *rotation.Record) { r.High = 9 }))
	if rec := l.load(); rec.High == 9 || !rec.Intent.Back {
		t.Errorf("a fenced note got through: %+v", rec)
	}
}
