package rotation

import "testing"

// An abort goes back to a value that somebody had put in by hand, under the name of the version before it: that older
// one is on record still, and nothing may be done to its name, which is the target's.
func TestVersionsOfOneName(t *testing.T) {
	of := func(v Version, id string) Credential {
		return Credential{V: v, ID: id, Value: NewSecret([]byte{byte(v)})}
	}
	back := Intent{From: 4, To: 3, Attempt: 3, Back: true}
	rec := Record{Intent: &back, Live: map[Version]Credential{2: of(2, "backend_v2"), 3: of(3, "backend_v2"), 4: of(4, "backend_v4")}}
	o := &overlap{Parts: Parts{System: told{}}, intent: back}
	if got := o.apart(rec); len(got) != 1 || got[0].V != 4 {
		t.Errorf("apart from the target are %v, want v4 alone", got)
	}
	rec.Intent = &Intent{From: 3, To: 4, Attempt: 2}
	if got := o.apart(rec); len(got) != 2 {
		t.Errorf("on the way there, apart from the target are %v, want v2 and v3", got)
	}
}
