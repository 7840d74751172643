package rotation

import (
	"context"
	"strings"
	"testing"
)

// An abort goes back to a value that somebody had put in by hand, under the name of the version before it: that older
// one is on record still, and nothing may be done to its name, which is the target's.
func TestVersionsOfOneName(t *testing.T) {
	of := func(v Version, id string) Credential {
		return Credential{V: v, ID: id, Value: NewSecret([]byte{byte(v)})}
	}
	back := Intent{From: 4, To: 3, Attempt: 3, Back: true}
	rec := Record{Intent: &back, Live: map[Version]Credential{2: of(2, "backend_v2"), 3: of(3, "backend_v2"), 4: of(4, "backend_v4")}}
	o := loginsOf(told{})
	if got := o.apart(rec); len(got) != 1 || got[0].V != 4 {
		t.Errorf("apart from the target are %v, want v4 alone", got)
	}
	rec.Intent = &Intent{From: 3, To: 4, Attempt: 2}
	if got := o.apart(rec); len(got) != 2 {
		t.Errorf("on the way there, apart from the target are %v, want v2 and v3", got)
	}
}

// passwords are a server whose versions have one name and are told apart by their values.
type passwords struct{ told }

func (passwords) Untold() string { return "nobody can tell" }

func (passwords) Left() string { return "connections may be left" }

// Versions of one name are all left behind where the server tells them apart by their values, and are looked at with these.
func TestVersionsOfOneNameThatTheServerTellsApart(t *testing.T) {
	old := Credential{V: 1, ID: "default", Value: NewSecret([]byte("old"))}
	rec := Record{
		Intent: &Intent{From: 1, To: 2, Attempt: 1},
		Live:   map[Version]Credential{1: old, 2: {V: 2, ID: "default", Value: NewSecret([]byte("new"))}},
	}
	m := made{Setup{Parts: Parts{System: passwords{}}}, *rec.Intent}
	o := m.overlap()
	if got := o.apart(rec); len(got) != 1 || got[0].V != 1 {
		t.Errorf("apart from the target are %v, want v1", got)
	}
	if got := o.bare(old); !got.Value.Equal(old.Value) {
		t.Error("the old version is looked at without its value")
	}
	if s, err := o.users.isIdle(t.Context(), rec); err != nil || s.Phase != Doubtful || s.Note != "nobody can tell" {
		t.Errorf("drain is %+v, %v: want it to ask, and to say what cannot be told", s, err)
	}
}

// What a server cannot take away with a password is said at the end.
func TestWhatIsLeftOfAPasswordIsSaidAtTheEnd(t *testing.T) {
	i := Intent{From: 1, To: 2, Attempt: 1, Compromised: true}
	rec := Record{
		Intent: &i, Live: map[Version]Credential{2: {V: 2, ID: "default"}}, Gone: map[Version]Tombstone{1: {ID: "default", Attempt: 1}},
	}
	m := made{Setup{Parts: Parts{System: passwords{}}}, i}
	a := m.acceptor()
	if s, err := a.isRetired(t.Context(), rec); err != nil || s.Phase != Done || !strings.HasSuffix(s.Note, "; connections may be left") {
		t.Errorf("at the end: %+v, %v", s, err)
	}
}

func (passwords) InUse(context.Context, Credential) (Usage, error) { return Usage{}, nil }
