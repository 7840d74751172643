package rotation

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// A record can lose any of its parts at any time. A run then goes on, or starts from what is surely known, or refuses:
// it never takes what is missing for what is gone from the server.
func TestDecideOnADamagedRecord(t *testing.T) {
	forward := Intent{From: 1, To: 2, Attempt: 1, By: "alice"}
	leaked := Intent{From: 1, To: 3, Attempt: 2, Compromised: true}
	back := Intent{From: 2, To: 1, Attempt: 2, Back: true}
	stone := func(vs ...Version) map[Version]Tombstone {
		m := map[Version]Tombstone{}
		for _, v := range vs {
			m[v] = Tombstone{ID: "login" + v.String(), Attempt: 1, At: noon}
		}
		return m
	}
	inUse := func(v Version) Credential { c := live(v)[v]; c.V = 0; return c }
	record := func(i Intent, change func(*Record)) Record {
		r := Record{
			Intent: &i, High: 2, Saved: 2, Live: live(1, 2), Current: live(2)[2], Editions: editions(only(1), only(2)), Values: "secret shop/db-rotate",
			Names: map[Version]string{1: "loginv1", 2: "loginv2"},
		}
		change(&r)
		return r
	}
	next := func(from, to Version, attempt int) *Intent { return &Intent{From: from, To: to, Attempt: attempt} }
	for _, c := range []struct {
		name   string
		record Record
		want   *Intent // nil: refused
		says   string  // by a refusal
		over   *Intent // what starting over begins; nil where nothing is refused
	}{
		{"nothing is missing", record(forward, func(*Record) {}), &forward, "", nil},
		{"all values, at rollout", record(forward, func(r *Record) { r.Live, r.Current, r.Edited = nil, inUse(2), true }),
			nil, "lost v1 (loginv1) and v2 (loginv2) during the rotation from v1 to v2", next(3, 4, 2)},
		{"all values, before activate", record(forward, func(r *Record) {
			r.Live, r.Current, r.Edited, r.Editions = nil, inUse(1), true, editions(only(1))
		}), nil, "lost v1 (loginv1) and v2 (loginv2)", next(3, 4, 2)},
		{"the old value", record(forward, func(r *Record) { r.Live = live(2) }), nil, "lost v1 (loginv1)", next(2, 3, 2)},
		{"the old value, before activate", record(forward, func(r *Record) {
			r.Live, r.Current, r.Editions, r.Edited = live(2), inUse(1), editions(only(1)), true
		}), nil, "lost v1", next(3, 4, 2)},
		{"the old value, which is in the Secret as it was published", record(forward, func(r *Record) {
			r.Live, r.Current, r.Editions = live(2), inUse(1), editions(only(1))
		}), &forward, "", nil},
		{"the new value, before activate", record(forward, func(r *Record) {
			r.Live, r.Current, r.Editions = live(1), live(1)[1], editions(only(1))
		}), nil, "lost v2 (loginv2)", next(1, 3, 2)},
		{"the new value, which is in the Secret as it was published", record(forward, func(r *Record) {
			r.Live, r.Current = live(1), inUse(2)
		}), &forward, "", nil},
		{"the new value, and the Secret was changed", record(forward, func(r *Record) {
			r.Live, r.Current, r.Edited = live(1), Credential{ID: "by-hand"}, true
		}), nil, "lost v2", next(3, 4, 2)},
		{"a name on record too", record(forward, func(r *Record) { r.Live, r.Names = live(2), nil }), nil, "v1 (name not known)", next(2, 3, 2)},
		{"nothing: it was just begun", record(forward, func(r *Record) {
			r.Live, r.Current, r.Editions, r.Saved = nil, inUse(1), editions(only(1)), 0
		}), &forward, "", nil},
		{"all values of a rotation that has ended", record(forward, func(r *Record) {
			r.Live, r.Gone, r.Current, r.Edited = nil, stone(1), inUse(2), true
		}), next(2, 3, 2), "", nil},
		{"a tombstone", record(forward, func(r *Record) { r.Live = live(2) }), nil, "lost v1", next(2, 3, 2)},
		{"the stolen value", record(leaked, func(r *Record) {
			r.Live, r.High, r.Saved, r.Editions, r.Current = live(3), 3, 3, editions(only(1), only(3)), live(3)[3]
		}), nil, "lost v1 (loginv1)", next(3, 4, 3)},
		{"one that was pending when a leak was found", record(leaked, func(r *Record) {
			r.Live, r.Gone, r.High, r.Saved, r.Editions, r.Current, r.Edited = nil, stone(1), 3, 3, editions(only(1), only(3)), inUse(3), true
		}), nil, "lost v2 (loginv2) and v3", next(4, 5, 3)},
		{"the version to go back from", record(back, func(r *Record) { r.Live, r.Current, r.Editions = live(1), live(1)[1], editions(only(1)) }),
			nil, "lost v2 (loginv2)", next(1, 3, 3)},
		{"the version to go back to", record(back, func(r *Record) { r.Live = live(2) }), nil, "lost v1", next(2, 3, 3)},
		{"nothing: it went back from what was never saved", record(back, func(r *Record) {
			r.Live, r.Saved, r.Current, r.Editions = live(1), 1, live(1)[1], editions(only(1))
		}), next(1, 3, 3), "", nil},
		{"the annotation, and no value", record(forward, func(r *Record) { r.Intent, r.Editions = nil, nil }), next(1, 3, 1), "", nil},
		{"the annotation, and all values", record(forward, func(r *Record) {
			r.Intent, r.Live, r.Names, r.Current, r.Editions = nil, nil, nil, inUse(2), []Edition{{N: 22, View: only(3)}}
		}), nil, "lost v2", next(4, 5, 1)},
		{"the highest number", record(forward, func(r *Record) { r.High, r.Live, r.Gone = 0, live(2), stone(1) }), next(2, 3, 2), "", nil},
		{"its sense: it leads to where it comes from", record(Intent{From: 2, To: 2, Attempt: 3}, func(*Record) {}), nil, "contradicts itself", next(2, 3, 4)},
		{"its sense: it comes from nowhere", record(Intent{To: 2, Attempt: 3}, func(*Record) {}), nil, "contradicts itself", next(2, 3, 4)},
		{"its sense: it leads to what is retired", record(forward, func(r *Record) {
			r.Live, r.Current, r.Gone, r.Editions = live(1), live(1)[1], stone(2), editions(only(1))
		}), nil, "which is retired", next(1, 3, 2)},
		{"its sense: versions that no rotation gives out", record(Intent{From: 1, To: 999_999_999, Attempt: 3}, func(r *Record) {
			r.Live, r.Saved, r.Editions, r.Gone = live(1), 1, editions(only(999_999_999)), stone(2)
		}), &Intent{From: 1, To: 999_999_999, Attempt: 3}, "", nil},
		{"its sense: it ended in the future", record(forward, func(r *Record) {
			r.Live, r.Gone = live(2), map[Version]Tombstone{1: {ID: "loginv1", Attempt: 1, At: noon.Add(1000 * time.Hour)}}
		}), next(2, 3, 2), "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := Want{Now: noon.Add(2 * time.Hour), MinAge: time.Hour}
			got, err := Decide(c.record, w)
			if c.want != nil {
				wantIntent(t, got, err, *c.want)
				return
			}
			if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.says) || !strings.Contains(Hint(err), "--accept=lost-record") {
				t.Errorf("decided for %+v, %v (%s), want a refusal with %q", got, err, Hint(err), c.says)
			}
			if len(strings.Fields(err.Error())) >= 20 {
				t.Errorf("the refusal is too long: %v", err)
			}
			if c.record.Intent != nil && c.record.Standby() {
				t.Error("it counts as standby")
			}
			for _, other := range []Want{{Back: true, StartOver: true}, {Compromised: true}} {
				if got, err := Decide(c.record, other); !errors.Is(err, ErrRefused) {
					t.Errorf("with %+v it decided for %+v, %v", other, got, err)
				}
			}
			w.StartOver = true
			got, err = Decide(c.record, w)
			wantIntent(t, got, err, *c.over)
			wantStartable(t, c.record, got, w)
		})
	}
}

func wantIntent(t *testing.T, got Intent, err error, want Intent) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Intent{}, "At", "By")); diff != "" {
		t.Errorf("intent (-want +got):\n%s", diff)
	}
}

// wantStartable has begin of i ask, write i down, and leave a record that a run can rely on.
func wantStartable(t *testing.T, rec Record, i Intent, w Want) {
	t.Helper()
	m := made{Setup{Want: w, Environment: Environment{Now: func() time.Time { return w.Now }}}, i}
	o := m.overlap().decision
	s, err := o.checked(t.Context(), rec)
	if err != nil || len(s.Items) != 1 || s.Items[0].Consent != ConsentLost || !s.Items[0].MaySkip {
		t.Errorf("begin asks %+v, %v", s.Items, err)
	}
	rec = rec.Clone()
	o.note(&rec)
	rec.Edited = false // the store seals the Secret as it is now
	if err := i.Mine(rec); err != nil {
		t.Errorf("what begin wrote down is refused: %v", err)
	}
	if _, asked := rec.Skipped["record"]; !asked {
		t.Error("who started over is not on record")
	}
}

// Starting over says which login nobody will revoke, and which one was stolen.
func TestStartingOverNamesWhatItForgets(t *testing.T) {
	leak := Intent{From: 1, To: 2, Attempt: 1, Compromised: true}
	rec := Record{
		Intent: &leak, Saved: 2, Edited: true, Current: Credential{ID: "loginv2"}, Editions: editions(only(1), only(2)),
		Names: map[Version]string{1: "loginv1", 2: "loginv2"},
	}
	_, err := Decide(rec, Want{Compromised: true})
	for _, text := range []string{Hint(err), rec.startOver(true)[0].Note} {
		if !strings.Contains(text, "revoke v1 (loginv1) yourself: no rotation will; v1 is the compromised one") {
			t.Errorf("it says %q", text)
		}
		if strings.Contains(strings.ReplaceAll(text, err.Error(), ""), "loginv2") {
			t.Errorf("it names the login that the new rotation revokes: %q", text)
		}
	}
}

// A record that loses a version in the middle of a run ends that run before its next effect.
func TestRunEndsWhenTheRecordLosesAVersion(t *testing.T) {
	s := newScript(t)
	lost := false
	s.step("a", &lost).Apply = func(context.Context, Record) error {
		s.store.pending = append(s.store.pending, func(r *Record) { r.Saved = 2 })
		lost = true
		return nil
	}
	effect := false
	s.step("b", &effect)
	if _, _, err := s.Run(t.Context()); !errors.Is(err, ErrRefused) || effect {
		t.Errorf("it went on: %v, the effect took place: %v", err, effect)
	}
}

// A time in the future would hold a run up for good: it counts for nothing.
func TestAMarkInTheFutureCountsForNothing(t *testing.T) {
	o := core{now: func() time.Time { return noon }}
	for at, want := range map[time.Duration]bool{-time.Hour: true, 0: true, 30 * time.Second: true, time.Hour: false} {
		rec := Record{Marks: map[string]time.Time{MarkIdle: noon.Add(at)}}
		if got := o.mark(rec, MarkIdle); got.IsZero() == want {
			t.Errorf("a mark %v from now is %v", at, got)
		}
	}
}
