package rotation

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMayHold(t *testing.T) {
	es := editions(only(1), only(2), only(1)) // edition 2 at 13:00, edition 3 at 14:00
	at := func(hour, minute int) time.Time {
		return time.Date(2026, 5, 1, hour, minute, 0, 0, time.UTC)
	}
	for _, c := range []struct {
		name string
		pod  Pod
		want []View
	}{
		{"made before all editions", Pod{Created: at(9, 0), Started: []time.Time{at(9, 1)}}, []View{only(1)}},
		{"its container started again after edition 2", Pod{Created: at(9, 0), Started: []time.Time{at(13, 30)}}, []View{only(1), only(2)}},
		{"made from the template of edition 2", Pod{Edition: 2, Created: at(13, 1), Started: []time.Time{at(13, 2)}}, []View{only(2)}},
		{"and started again after edition 3", Pod{Edition: 2, Created: at(13, 1), Started: []time.Time{at(15, 0)}}, []View{only(2), only(1)}},
		{"no label, made after edition 2", Pod{Created: at(13, 30), Started: []time.Time{at(13, 31)}}, []View{only(2)}},
		{"made so close to edition 2 that clocks may differ", Pod{Created: at(13, 0).Add(2 * time.Second), Started: []time.Time{at(13, 0).Add(3 * time.Second)}},
			[]View{only(1), only(2)}},
		{"started so close before edition 2 that clocks may differ", Pod{Created: at(12, 0), Started: []time.Time{at(13, 0).Add(-2 * time.Second)}},
			[]View{only(1), only(2)}},
		{"two containers, one started again", Pod{Created: at(9, 0), Started: []time.Time{at(9, 1), at(13, 30)}}, []View{only(1), only(2)}},
		{"not started yet: it may read whatever comes", Pod{Created: at(9, 0)}, []View{only(1), only(2), only(1)}},
		{"reloads a volume: it holds whatever is there", Pod{Created: at(9, 0), Started: []time.Time{at(9, 1)}, Reloads: true}, []View{only(1), only(2), only(1)}},
		{"a label from another life of the record", Pod{Edition: 9, Created: at(9, 0), Started: []time.Time{at(9, 1)}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, MayHold(c.pod, es, 5*time.Second)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMayHoldNothingThatIsNotKnown(t *testing.T) {
	es := editions(only(1), only(2), only(3))[1:] // edition 1 is forgotten
	p := Pod{Created: noon.Add(-time.Hour), Started: []time.Time{noon.Add(-time.Minute)}}
	if got := MayHold(p, es, time.Second); got != nil {
		t.Errorf("got %v of editions that are forgotten", got)
	}
	if allFit(nil, func(View) bool { return true }) {
		t.Error("no views at all count as fitting")
	}
}
