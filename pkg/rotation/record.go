package rotation

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Intent is what the operators have decided: towards which version, since when, and who said so.
type Intent struct {
	To          Version   `json:"to"`
	From        Version   `json:"from"`    // the version that was active when it was decided; an abort goes back to it
	Attempt     int       `json:"attempt"` // counts the decisions of one target; each has its own
	Back        bool      `json:"back,omitempty"`
	Compromised bool      `json:"compromised,omitempty"`
	By          string    `json:"by,omitempty"`
	At          time.Time `json:"at"`
}

// same says whether two intents are one decision, whoever made it and when.
func (i Intent) same(other Intent) bool {
	return i.Attempt == other.Attempt && i.To == other.To && i.From == other.From &&
		i.Back == other.Back && i.Compromised == other.Compromised
}

// Mine says whether rec holds this very intent still, and can be relied on.
func (i Intent) Mine(rec Record) error {
	switch {
	case rec.Intent == nil:
		return fmt.Errorf("the record of the rotation is gone: %w", ErrSuperseded)
	case !rec.Intent.same(i):
		return WithHint(fmt.Errorf("%s has decided for %v in the meantime: %w", rec.Intent.By, rec.Intent.To, ErrSuperseded),
			"look at `kubectl rotate status` before you go on")
	}
	return rec.Check()
}

// View is what the application's Secret says: which version to use, and which to accept from others.
// For passwords the two are the same; a verifier of signatures accepts several keys and signs with one.
type View struct {
	Active Version   `json:"active"`
	Accept []Version `json:"accept,omitempty"`
}

// Accepts says whether v is among the accepted versions.
func (v View) Accepts(x Version) bool { return slices.Contains(v.Accept, x) }

// only is the view in which v alone is active and accepted.
func only(v Version) View { return View{Active: v, Accept: []Version{v}} }

// with is the view with x accepted too.
func (v View) with(x Version) View {
	if v.Accepts(x) {
		return v
	}
	return View{Active: v.Active, Accept: append(slices.Clone(v.Accept), x)}
}

// Edition is one change of the application's Secret by a rotation. They are numbered from 1, which
// is how the Secret was found; its time is zero, since nobody knows since when it has been so.
type Edition struct {
	N       int       `json:"n"`
	View    View      `json:"view"`
	Written time.Time `json:"written,omitzero"` // by the API server's clock
}

// Tombstone is what stays of a version whose value is gone.
type Tombstone struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Attempt int       `json:"attempt"` // the decision under which it was retired
}

// The marks of a rotation: times that cannot be observed later. They belong to the intent beside
// them and end with it. A mark may hold a run up; no check passes because of one alone.
const (
	MarkQuarantined = "quarantined" // when the last of the other versions was refused
	MarkIdle        = "idle"        // since when nobody has used the other versions
)

// Skip is who has decided that a gate, or something that is looked at before a rotation begins, does not hold it up.
type Skip struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

func (s Skip) note() string {
	return fmt.Sprintf("skipped by %s at %s UTC", s.By, s.At.UTC().Format(time.TimeOnly))
}

// Record is all that a Store knows of one target: what was written down, and what the
// application's Secret holds now.
type Record struct {
	Revision string     // what a write is decided on; opaque, and "" where nothing is stored yet
	Current  Credential // the value in the application's Secret now; V is 0 when it is no version on record
	Edited   bool       // the Secret's rotated keys are not as the last edition left them
	Editor   string     // who did that, and where, as far as it is known
	// Behind are other places that hold the credential and do not say what the present intent and the last edition
	// say: a publication was cut off, or was decided before the intent and may still be under way.
	Behind []string
	// Arriving are publications of the present intent that consumers do not read yet. There is nothing to do about them.
	Arriving []Arrival

	Intent   *Intent
	High     Version                // the highest number given out so far
	Saved    Version                // the highest version whose value was ever saved; High where the store can no longer tell
	Names    map[Version]string     // the IDs of versions, as they were written down beside the intent
	Values   string                 // where the values are stored, for people
	Live     map[Version]Credential // whose value is stored
	Gone     map[Version]Tombstone  // which are past the point of no return, with or without a value still stored
	Editions []Edition
	Marks    map[string]time.Time
	Skipped  map[string]Skip // what an operator has decided to go on without, under the present intent, by its name
}

// Arrival is a publication that is written at its source, such as a provider, and is still to be copied to what
// consumers read.
type Arrival struct {
	Where string    // what consumers read: "secret shop/db"
	Since time.Time // when the source was written
	For   string    // what is waited for: "ExternalSecret shop/db to sync"
}

// unpublished is the state of a step whose publication is not written down yet: waiting while it arrives, else to do.
func (r Record) unpublished(note string) State {
	if len(r.Arriving) == 0 || len(r.Behind) > 0 {
		return State{Phase: ToDo, Note: note}
	}
	s := State{Phase: Waiting, Note: note}
	for _, a := range r.Arriving {
		s.Note += fmt.Sprintf("; waiting for %s since %s UTC", a.For, a.Since.UTC().Format(time.TimeOnly))
		s.Items = append(s.Items, Item{Name: a.Where, Phase: Waiting, Note: "waiting for " + a.For})
	}
	return s
}

// Clone gives a record that shares nothing with r that can be changed.
func (r Record) Clone() Record {
	c := r
	if r.Intent != nil {
		intent := *r.Intent
		c.Intent = &intent
	}
	c.Live, c.Gone, c.Marks, c.Skipped = maps.Clone(r.Live), maps.Clone(r.Gone), maps.Clone(r.Marks), maps.Clone(r.Skipped)
	c.Editions, c.Names, c.Arriving = slices.Clone(r.Editions), maps.Clone(r.Names), slices.Clone(r.Arriving)
	return c
}

// Latest is the newest edition; before the first rotation the one that begin would write.
func (r Record) Latest() Edition {
	if len(r.Editions) == 0 {
		return Edition{N: 1, View: only(1)}
	}
	return r.Editions[len(r.Editions)-1]
}

// Active is the version that the last edition made active.
func (r Record) Active() Version { return r.Latest().View.Active }

// Standby says whether, by the record alone, nothing is pending: no intent, or one whose target
// is active and the only value left. A record that has lost a version of its intent is never in standby.
func (r Record) Standby() bool {
	if r.Intent == nil {
		return true
	}
	to := r.Intent.To
	view := r.Latest().View
	if view.Active != to || len(view.Accept) > 1 {
		return false
	}
	_, live := r.Live[to]
	return len(r.Lost()) == 0 && (len(r.Live) == 0 || live && len(r.Live) == 1)
}

// Finished is when the last version was retired under the present intent; zero when none was.
func (r Record) Finished() time.Time {
	var last time.Time
	for _, g := range r.Gone {
		if r.Intent != nil && g.Attempt == r.Intent.Attempt && g.At.After(last) {
			last = g.At
		}
	}
	return last
}

// Changed is when something of the present intent was last written down: the decision, an edition, a mark. Zero in a record
// without any.
func (r Record) Changed() time.Time {
	last := r.Latest().Written
	later := func(t time.Time) {
		if t.After(last) {
			last = t
		}
	}
	if r.Intent != nil {
		later(r.Intent.At)
	}
	for _, t := range r.Marks {
		later(t)
	}
	for _, s := range r.Skipped {
		later(s.At)
	}
	later(r.Finished())
	return last
}

// Others are the versions that the present intent leaves behind, lowest first: all live ones but its
// target, and those it has retired already, by ID alone, since a restored server can bring them back.
func (r Record) Others() []Credential {
	if r.Intent == nil {
		return nil
	}
	ids := map[string]bool{}
	var others []Credential
	for _, v := range slices.Sorted(maps.Keys(r.Live)) {
		ids[r.Live[v].ID] = true
		if v != r.Intent.To {
			others = append(others, r.Live[v])
		}
	}
	for _, v := range slices.Sorted(maps.Keys(r.Gone)) {
		if g := r.Gone[v]; g.Attempt == r.Intent.Attempt && !ids[g.ID] {
			others = append(others, Credential{V: v, ID: g.ID})
		}
	}
	return others
}

// leaving says whether another version than the target still has a value.
func (r Record) leaving() bool {
	_, target := r.Target()
	return len(r.Live) > 1 || len(r.Live) == 1 && !target
}

// published says whether an edition ever made one of the other versions active.
func published(rec Record) bool {
	for _, c := range rec.Others() {
		if slices.ContainsFunc(rec.Editions, func(e Edition) bool { return e.View.Active == c.V }) {
			return true
		}
	}
	return false
}

// Target is the credential that the present intent goes to; ok is false until it is staged.
func (r Record) Target() (c Credential, ok bool) {
	if r.Intent == nil {
		return Credential{}, false
	}
	c, ok = r.Live[r.Intent.To]
	return c, ok
}
