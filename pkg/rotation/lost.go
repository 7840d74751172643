package rotation

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mostBetween is how many versions may lie between those of an intent for them to be missed.
const mostBetween = 100

// Lost are the versions of the intent that the record holds neither a value nor a tombstone of, although their values
// were saved. Each has its ID where the record still names it. A rotation that has ended needs none of them: the
// value in use is in the application's Secret, and all versions before it have tombstones.
func (r Record) Lost() (lost []Credential) {
	var needed []Version
	switch {
	case r.Intent != nil && !r.ended():
		first, last := min(r.Intent.From, r.Intent.To), max(r.Intent.From, r.Intent.To)
		needed = append(needed, first)
		for v := first + 1; v < last && len(r.Live) == 0 && last-first < mostBetween; v++ { // an emergency leads away from those too
			needed = append(needed, v)
		}
		needed = append(needed, last)
	case r.Intent == nil && len(r.Live) == 0 && r.Saved > 0:
		needed = []Version{r.Saved}
	}
	for _, v := range needed {
		if !r.accounts(v) {
			lost = append(lost, Credential{V: v, ID: r.Names[v]})
		}
	}
	return lost
}

// accounts says whether the record knows what became of version v.
func (r Record) accounts(v Version) bool {
	_, live := r.Live[v]
	_, gone := r.Gone[v]
	// The application's Secret is as the last edition left it, so its value is v's: it can be saved again.
	published := v == r.Active() && r.Current.V == 0 && !r.Edited
	return live || gone || published || v > r.Saved
}

// ended says whether the intent's target is active, and all versions that it led away from have tombstones.
func (r Record) ended() bool {
	i, view := r.Intent, r.Latest().View
	first, last := min(i.From, i.To), max(i.From, i.To)
	if view.Active != i.To || len(view.Accept) > 1 || int(last-first) > len(r.Gone) {
		return false
	}
	for v := first; v <= last; v++ {
		if _, gone := r.Gone[v]; v != i.To && !gone {
			return false
		}
	}
	return true
}

// Check refuses a record that a run cannot rely on: one that contradicts itself, or that has lost a version.
func (r Record) Check() error {
	i := r.Intent
	lost := r.Lost()
	var err error
	switch {
	case i != nil && (i.From < 1 || i.To < 1 || i.From == i.To):
		err = fmt.Errorf("the record contradicts itself: a rotation from %v to %v", i.From, i.To)
	case i != nil && r.isGone(i.To):
		err = fmt.Errorf("the record contradicts itself: a rotation to %v, which is retired", i.To)
	case len(lost) > 0 && i != nil:
		err = fmt.Errorf("%s has lost %s during the rotation from %v to %v", r.values(), named(lost), i.From, i.To)
	case len(lost) > 0:
		err = fmt.Errorf("%s has lost %s, and nothing tells which rotation was under way", r.values(), named(lost))
	default:
		return nil
	}
	hint := "restore it from a backup, or start over with `kubectl rotate` and --accept=" + ConsentLost
	if text := r.forgotten(); text != "" {
		hint += ", and " + text
	}
	return Refuse(WithHint(err, hint))
}

// isGone says whether v has a tombstone, and no value.
func (r Record) isGone(v Version) bool {
	_, live := r.Live[v]
	_, gone := r.Gone[v]
	return gone && !live
}

func (r Record) values() string {
	if r.Values == "" {
		return "the record"
	}
	return r.Values
}

// forgotten says what nobody revokes once a rotation starts over, and what the operator has to do; "" where it is
// nothing. The login that is in the application's Secret now is what the new rotation leads away from.
func (r Record) forgotten() string {
	lost := slices.DeleteFunc(r.Lost(), func(c Credential) bool { return c.ID != "" && c.ID == r.Current.ID })
	if len(lost) == 0 {
		return ""
	}
	text := fmt.Sprintf("revoke %s yourself: no rotation will", named(lost))
	if i := r.Intent; i != nil && i.Compromised && slices.ContainsFunc(lost, func(c Credential) bool { return c.V == i.From }) {
		text += fmt.Sprintf("; %v is the compromised one", i.From)
	}
	return text
}

// named names versions with their IDs, as far as those are known.
func named(cs []Credential) string {
	var names []string
	for _, c := range cs {
		if c.ID == "" {
			c.ID = "name not known"
		}
		names = append(names, fmt.Sprintf("%v (%s)", c.V, c.ID))
	}
	return strings.Join(names, " and ")
}

// startOver is what has to be agreed to before a rotation starts over on a record that cannot be relied on; nil on
// any other.
func (r Record) startOver(compromised bool) []Item {
	err := r.Check()
	if err == nil {
		return nil
	}
	note := err.Error()
	if text := r.forgotten(); text != "" {
		note += "; " + text
		if compromised {
			note += "; if it is the compromised one, whoever has it can still log in"
		}
	}
	return []Item{{Name: "record", Phase: ToDo, Note: note, Consent: ConsentLost}}
}

// highest is the highest version that the record names anywhere.
func (r Record) highest() Version {
	high := max(r.High, r.Saved)
	for v := range maps.Keys(r.Live) {
		high = max(high, v)
	}
	for v := range maps.Keys(r.Gone) {
		high = max(high, v)
	}
	for _, e := range r.Editions {
		high = max(high, e.View.Active)
	}
	if r.Intent != nil {
		high = max(high, r.Intent.From, r.Intent.To)
	}
	return high
}
