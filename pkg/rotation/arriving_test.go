package rotation

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// A publication that has not arrived is waited for, and not made again. Where another place is
// behind there is something to do, and what is written down as published stays so.
func TestWhatIsArrivingIsWaitedFor(t *testing.T) {
	arriving := []Arrival{{Where: "secret shop/db", Since: noon, For: "ExternalSecret shop/db to sync"}}
	both, second := View{Active: 1, Accept: []Version{1, 2}}, View{Active: 2, Accept: []Version{1, 2}}
	for _, c := range []struct {
		step   string
		views  []View
		behind []string
		want   Phase
	}{
		{StepPublish, []View{only(1)}, nil, Waiting},
		{StepActivate, []View{only(1), both}, nil, Waiting},
		{StepRevoke, []View{only(1), both, second}, nil, Waiting},
		{StepActivate, []View{only(1), both}, []string{"secret shop/reports"}, ToDo},
		{StepPublish, []View{only(1), both}, nil, Done},
		{StepActivate, []View{only(1), both, second}, nil, Done},
	} {
		k, _, rec := verifying(toSecond, map[string]Status{"a": Accepts}, "a")
		rec.Editions, rec.Arriving, rec.Behind = editions(c.views...), arriving, c.behind
		store := &ledger{rec: rec}
		k.Store, k.Now = store, time.Now
		list := Overlap(k.Setup, toSecond)
		step := list[slices.IndexFunc(list, func(s Step) bool { return s.Name == c.step })]
		r := Runner{Ledger: store, Intent: toSecond, Mine: toSecond.Mine, Steps: []Step{step}}
		_, s, err := r.Advance(t.Context(), 0)
		published := len(store.rec.Editions) > len(c.views)
		if c.want == ToDo && (s.Phase != Applying || !published) || c.want != ToDo && (s.Phase != c.want || published) || err != nil {
			t.Errorf("%s with %d editions, behind %v: it is %q (%s), published is %v, %v; want %q", c.step, len(c.views), c.behind, s.Phase, s.Note, published, err, c.want)
		}
		if c.want == Waiting && !strings.Contains(s.Note, "waiting for ExternalSecret shop/db to sync since 12:00:00 UTC") {
			t.Errorf("%s: the note is %q", c.step, s.Note)
		}
	}
}
