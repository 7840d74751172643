package rotation

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func live(vs ...Version) map[Version]Credential {
	m := map[Version]Credential{}
	for _, v := range vs {
		m[v] = Credential{V: v, ID: "login" + v.String(), Value: NewSecret([]byte(v.String()))}
	}
	return m
}

// editions are one for each view, an hour apart.
func editions(views ...View) (es []Edition) {
	for i, v := range views {
		e := Edition{N: i + 1, View: v}
		if i > 0 {
			e.Written = noon.Add(time.Duration(i) * time.Hour)
		}
		es = append(es, e)
	}
	return es
}

func TestDecide(t *testing.T) {
	forward := &Intent{From: 1, To: 2, Attempt: 1, By: "alice"}
	back := &Intent{From: 2, To: 1, Attempt: 2, Back: true, By: "bob"}
	leaked := &Intent{From: 1, To: 2, Attempt: 1, Compromised: true}
	underWay := Record{Intent: forward, High: 2, Live: live(1, 2), Current: live(1)[1], Editions: editions(only(1))}
	retired := Record{
		Intent: forward, High: 2, Live: live(2), Current: live(2)[2], Editions: editions(only(1), only(2)),
		Gone: map[Version]Tombstone{1: {ID: "login1", Attempt: 1, At: noon}},
	}
	with := func(r Record, change func(*Record)) Record {
		r = r.Clone()
		change(&r)
		return r
	}
	for _, c := range []struct {
		name    string
		record  Record
		want    Want
		intent  Intent
		refused error
	}{
		{"the first rotation leads from v1 to v2", Record{}, Want{},
			Intent{From: 1, To: 2, Attempt: 1}, nil},
		{"what is under way goes on", underWay, Want{}, *forward, nil},
		{"an abort goes back to where it came from", underWay, Want{Back: true},
			Intent{From: 2, To: 1, Attempt: 2, Back: true}, nil},
		{"an abort that is under way goes on", with(underWay, func(r *Record) { r.Intent = back }), Want{Back: true}, *back, nil},
		{"nothing can be rotated during an abort", with(underWay, func(r *Record) { r.Intent = back }), Want{}, Intent{}, ErrRefused},
		{"there is nothing to abort before the first rotation", Record{}, Want{Back: true}, Intent{}, ErrNothingUnderWay},
		{"there is nothing to abort after the last", retired, Want{Back: true}, Intent{}, ErrNothingUnderWay},
		{"a rotation just finished is not begun again", retired, Want{MinAge: time.Hour, Now: noon.Add(time.Minute)}, *forward, nil},
		{"unless that is asked for", retired, Want{MinAge: time.Hour, Now: noon.Add(time.Minute), Again: true},
			Intent{From: 2, To: 3, Attempt: 2}, nil},
		{"later it is", retired, Want{MinAge: time.Hour, Now: noon.Add(2 * time.Hour)},
			Intent{From: 2, To: 3, Attempt: 2}, nil},
		{"a rotation does not stand for an emergency", retired, Want{Compromised: true, MinAge: time.Hour, Now: noon.Add(time.Minute)},
			Intent{From: 2, To: 3, Attempt: 2, Compromised: true}, nil},
		{"an abort just finished does not stand for a rotation",
			with(underWay, func(r *Record) {
				r.Intent, r.Live = back, live(1)
				r.Gone = map[Version]Tombstone{2: {ID: "login2", Attempt: 2, At: noon}}
			}),
			Want{MinAge: time.Hour, Now: noon.Add(time.Minute)}, Intent{From: 1, To: 3, Attempt: 3}, nil},
		{"past the point of no return there is no abort",
			with(underWay, func(r *Record) { r.Gone = map[Version]Tombstone{1: {ID: "login1", Attempt: 1}} }),
			Want{Back: true}, Intent{}, ErrRefused},
		{"an emergency suspects what was pending", underWay, Want{Compromised: true},
			Intent{From: 1, To: 3, Attempt: 2, Compromised: true}, nil},
		{"there is no way back to what has leaked", with(underWay, func(r *Record) { r.Intent = leaked }), Want{Back: true}, Intent{}, ErrRefused},
		{"a value that somebody else has put there gets a number of its own",
			with(retired, func(r *Record) { r.Current = Credential{ID: "hand-made"} }), Want{Again: true},
			Intent{From: 3, To: 4, Attempt: 2}, nil},
		{"a number is not given out again after an abort before it was staged",
			with(underWay, func(r *Record) { r.Intent, r.Live = back, live(1) }), Want{},
			Intent{From: 1, To: 3, Attempt: 3}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Decide(c.record, c.want)
			if !errors.Is(err, c.refused) || (err != nil) != (c.refused != nil) {
				t.Fatalf("error is %v, want %v", err, c.refused)
			}
			if diff := cmp.Diff(c.intent, got, cmpopts.IgnoreFields(Intent{}, "At")); diff != "" {
				t.Errorf("intent (-want +got):\n%s", diff)
			}
			if err != nil && errors.Is(err, ErrRefused) && Hint(err) == "" {
				t.Error("a refusal without a hint")
			}
		})
	}
}
