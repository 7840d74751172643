package rotation

import (
	"strings"
	"testing"
	"time"
)

// The phase of a rotation by its record alone is a step of its own list, and never ahead of the truth.
func TestPhaseOfARecord(t *testing.T) {
	both := View{Active: 1, Accept: []Version{1, 2}}
	signing := View{Active: 2, Accept: []Version{1, 2}}
	marked := func(name string) map[string]time.Time { return map[string]time.Time{name: noon} }
	begun := Record{Saved: 1, Live: live(1), Editions: editions(only(1)), Current: live(1)[1]}
	staged := Record{Saved: 2, Live: live(1, 2), Editions: editions(only(1))}
	active := Record{Saved: 2, Live: live(1, 2), Editions: editions(only(1), only(2))}
	of := func(r Record, views ...View) Record { r.Editions = editions(views...); return r }
	with := func(r Record, marks map[string]time.Time) Record { r.Marks = marks; return r }
	erased := with(active, marked(MarkQuarantined))
	erased.Gone = map[Version]Tombstone{1: {ID: "loginv1", Attempt: 1, At: noon.Add(time.Hour)}}
	for _, c := range []struct {
		name           string
		record         Record
		server, verify string // the phase at a server, and of what pods verify with; "" where such a record cannot be
	}{
		{"decided", begun, StepStage, StepStage},
		{"both values are saved", staged, StepInstall, StepPublish},
		{"published beside the old version", of(staged, only(1), both), "", StepDistribute},
		{"active", active, StepRollout, ""},
		{"signing", of(active, only(1), both, signing), "", StepRollout},
		{"nobody issues under the old version", with(of(active, only(1), both, signing), marked(MarkIdle)), "", StepDrain},
		{"taken out of the Secret", with(of(active, only(1), both, signing, only(2)), marked(MarkIdle)), "", StepForget},
		{"refused", with(active, marked(MarkQuarantined)), StepSoak, ""},
		{"being erased", erased, StepRetire, ""},
	} {
		c.record.Intent = &toSecond
		if got := PhaseOf(ServerOutline, c.record); c.server != "" && got != c.server {
			t.Errorf("%s: at a server it is at %q, want %q", c.name, got, c.server)
		}
		if got := PhaseOf(VerifierOutline, c.record); c.verify != "" && got != c.verify {
			t.Errorf("%s: of what pods verify with it is at %q, want %q", c.name, got, c.verify)
		}
	}
	leaked := with(active, marked(MarkQuarantined))
	leaked.Intent = &leak
	if got := PhaseOf(ServerOutline, leaked); got != StepRollout {
		t.Errorf("an emergency, of whose pods nothing is on record, is at %q", got)
	}
	over := Record{Intent: &toSecond, Live: live(2), Editions: editions(only(1), only(2)), Gone: map[Version]Tombstone{1: {}}}
	if got := PhaseOf(ServerOutline, over); got != "" {
		t.Errorf("one that is over is at %q", got)
	}
}

// Each kind has its own names, in the order of its lists.
func TestNamesAreThoseOfTheLists(t *testing.T) {
	for want, outline := range map[string]func(Intent) []Step{
		"begin stage install canary activate rollout verify drain revoke soak retire":                ServerOutline,
		"begin stage publish distribute activate rollout verify drain revoke forget sessions retire": VerifierOutline,
	} {
		if got := strings.Join(Names(outline(toSecond), outline(backToFirst), outline(leak)), " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
