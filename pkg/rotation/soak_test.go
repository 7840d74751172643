package rotation

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// Who is turned away during the soak is named, once and for all the time that it goes on; that nobody was is said where it
// could have been seen, and that it could not be seen is said too. The soak ends when it ends.
func TestSoakTellsWhoIsTurnedAway(t *testing.T) {
	i := Intent{From: 1, To: 2, Attempt: 1}
	rec := Record{Intent: &i, Live: live(1, 2), Current: live(2)[2], Editions: editions(only(1), only(2)), Marks: map[string]time.Time{MarkQuarantined: noon}}
	late := Refusal{ID: "loginv1", Address: "10.0.0.7", First: noon.Add(time.Minute), Last: noon.Add(2 * time.Minute), Count: 3}
	nameless := Refusal{ID: "loginv1", First: noon.Add(time.Second), Last: noon.Add(time.Second), Count: 1}
	blind := errors.New("its log may not be read")
	for _, c := range []struct {
		name  string
		after time.Duration // since the quarantine
		all   []Refusal
		err   error
		note  string
		items []Item
	}{
		{"nobody so far", time.Minute, nil, nil, "loginv1 refused since 12:00:00", nil},
		{"nobody", time.Hour, nil, nil, "refused for 10m0s, and nobody tried", nil},
		{"somebody", time.Minute, []Refusal{nameless, late}, nil, "loginv1 refused since 12:00:00, and still tried by 2", []Item{
			{Name: "a client whose address the log does not say", Phase: Waiting, Note: "turned away as loginv1 since 12:00:01"},
			{Name: "pod/legacy (10.0.0.7)", Phase: Waiting, Note: "turned away as loginv1 since 12:01:00"}}},
		{"somebody, in the end", time.Hour, []Refusal{late}, nil, "refused for 10m0s, and still tried by 1", []Item{
			{Name: "pod/legacy (10.0.0.7)", Phase: Done, Note: "turned away as loginv1 3 times, the last at 12:02:00"}}},
		{"not known", time.Hour, nil, blind, "refused for 10m0s; whether anybody is turned away is not known: its log may not be read", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			m := made{Setup{Policy: Policy{Soak: 10 * time.Minute}, Environment: Environment{
				Now: func() time.Time { return noon.Add(c.after) },
				Who: func(context.Context, string) string { asked++; return "pod/legacy" },
				Missed: func(_ context.Context, since time.Time, refused []Credential) ([]Refusal, error) {
					if !since.Equal(noon) || len(refused) != 1 || refused[0].ID != "loginv1" {
						t.Errorf("asked for %v since %v", refused, since)
					}
					return c.all, c.err
				},
			}}, i}
			step := m.overlap().soaking.step()
			for range 2 {
				s, err := step.Check(t.Context(), rec)
				want := State{Phase: Waiting, Note: c.note, Items: c.items, Until: noon.Add(10 * time.Minute)}
				if c.after > m.Soak {
					want.Phase, want.Until = Done, time.Time{}
				}
				if diff := cmp.Diff(want, s); diff != "" || err != nil {
					t.Errorf("%v (-want +got):\n%s", err, diff)
				}
			}
			if asked > 1 {
				t.Errorf("asked %d times whose an address is", asked)
			}
		})
	}
}
