package rotation

import (
	"context"
	"testing"
)

// Somebody deletes the record in mid-run: that there are no other versions then proves nothing about the old login.
func TestLostRecordProvesNothing(t *testing.T) {
	i := Intent{From: 1, To: 2, Attempt: 1}
	known := Record{Intent: &i, Live: live(1, 2), Current: live(2)[2], Editions: editions(only(1), only(2))}
	retired := known.Clone()
	retired.Live, retired.Gone = live(2), map[Version]Tombstone{1: {ID: "login1", Attempt: 1}}
	lost := known.Clone()
	lost.Live = live(2)
	back := lost.Clone()
	back.Intent = &Intent{From: 3, To: 2, Attempt: 2, Back: true}
	for _, c := range []struct {
		name string
		rec  Record
		want Phase
	}{
		{"both are saved", known, Done},
		{"the old one is retired", retired, Done},
		{"the old one has vanished", lost, Doubtful},
		{"on the way back from one that was never saved", back, Done},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := &overlap{intent: *c.rec.Intent}
			s, err := o.stage().Check(context.Background(), c.rec)
			if err != nil || s.Phase != c.want {
				t.Errorf("%q (%s), %v; want %q", s.Phase, s.Note, err, c.want)
			}
		})
	}
}
