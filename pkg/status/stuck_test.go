package status

import (
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func TestWhenARotationIsStuck(t *testing.T) {
	someone := &report.Run{By: "anna on laptop, pid 3"}
	const soak = 2 * time.Hour
	for name, c := range map[string]struct {
		decided, quarantined time.Duration // ago; 0 is never
		run                  *report.Run
		known                bool
		want                 string
	}{
		"just left":                       {decided: 5 * time.Minute, known: true},
		"left for a while":                {decided: 20 * time.Minute, known: true, want: "nobody is at it, and nothing was done for 20m"},
		"at work":                         {decided: 20 * time.Minute, known: true, run: someone},
		"at work, and nothing comes":      {decided: 90 * time.Minute, known: true, run: someone, want: "anna on laptop, pid 3 is at it, and nothing came of it for 90m"},
		"who is at it is not known":       {decided: 20 * time.Minute},
		"not known, and nothing comes":    {decided: 3 * time.Hour, want: "nobody knows who is at it, and nothing came of it for 3h"},
		"left in its soak":                {decided: 3 * time.Hour, quarantined: 100 * time.Minute, known: true},
		"left, and its soak is over":      {decided: 3 * time.Hour, quarantined: 130 * time.Minute, known: true},
		"left, and the soak is long over": {decided: 4 * time.Hour, quarantined: 150 * time.Minute, known: true, want: "nobody is at it, and nothing was done for 30m"},
	} {
		t.Run(name, func(t *testing.T) {
			rec := rotation.Record{Intent: &rotation.Intent{From: 1, To: 2, Attempt: 1, At: noon.Add(-c.decided)}}
			if c.quarantined > 0 {
				rec.Marks = map[string]time.Time{rotation.MarkQuarantined: noon.Add(-c.quarantined)}
			}
			s := report.Status{Phase: rotation.StepRollout, Run: c.run, RunKnown: c.known}
			if got := stuck(rec, s, soak, noon); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
	lost := rotation.Record{Intent: &rotation.Intent{From: 1, To: 2, Attempt: 1, At: noon}, Saved: 2, Editions: []rotation.Edition{{N: 1, View: rotation.View{Active: 2}}}}
	if got := stuck(lost, report.Status{RunKnown: true, Run: someone}, soak, noon); got != "the record has lost v1 (name not known) during the rotation from v1 to v2" {
		t.Errorf("with a lost record: %q", got)
	}
	if got := stuck(rotation.Record{}, report.Status{Phase: report.PhaseStandby}, soak, noon); got != "" {
		t.Errorf("in standby: %q", got)
	}
}
