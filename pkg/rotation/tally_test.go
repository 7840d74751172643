package rotation

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// An answer to a leak tells at its end how many requests were refused since the command, once the monitoring may have seen them. What
// that does not tell keeps nothing from being done.
func TestWhatAnAnswerToALeakHasCost(t *testing.T) {
	for _, c := range []struct {
		name, says string
		err        error
	}{
		{"told", "gone; 42 requests were refused from 12:59:59 to 14:00:30 UTC", nil},
		{"not told", "gone; how many requests were refused is not known: it is away", errors.New("it is away")},
	} {
		t.Run(c.name, func(t *testing.T) {
			k, _, rec := answering()
			now, asked := noon.Add(2*time.Hour), []time.Time{}
			k.Now, k.Asked = func() time.Time { return now }, leak.At.Add(-time.Second)
			k.Refused = Tally{Delay: 30 * time.Second, Count: func(_ context.Context, since time.Time) (int64, error) {
				asked = append(asked, since)
				return 42, c.err
			}}
			step := k.verifiers().retire()
			if s, err := step.Check(t.Context(), rec); err != nil || s.Phase != ToDo {
				t.Errorf("while the old version is on record: %+v, %v", s, err)
			}
			rec.Live, rec.Gone = live(2), map[Version]Tombstone{1: {}}
			s, err := step.Check(t.Context(), rec)
			if err != nil || s.Phase != Waiting || !s.Until.Equal(now.Add(30*time.Second)) || len(asked) > 0 {
				t.Errorf("before the monitoring can have seen it: %+v, %v, asked %v", s, err, asked)
			}
			now = s.Until
			s, err = step.Check(t.Context(), rec)
			if err != nil || s.Phase != Done || !strings.Contains(s.Note, c.says) || len(asked) != 1 || !asked[0].Equal(k.Asked) {
				t.Errorf("then: %+v, %v, asked since %v", s, err, asked)
			}
		})
	}
}

// Somebody who leaves while it is counted is heard at once.
func TestCountingIsLeft(t *testing.T) {
	k, _, rec := answering()
	ctx, leave := context.WithCancel(t.Context())
	k.Refused = Tally{Count: func(ctx context.Context, _ time.Time) (int64, error) {
		leave()
		return 0, ctx.Err()
	}}
	rec.Live, rec.Gone = live(2), map[Version]Tombstone{1: {}}
	if _, err := k.verifiers().retire().Check(ctx, rec); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A scheduled rotation has nothing to count, and waits for nothing.
func TestOnlyAnAnswerToALeakCounts(t *testing.T) {
	count := func(context.Context, time.Time) (int64, error) {
		t.Error("it was counted")
		return 0, nil
	}
	list := Overlap(Setup{
		Parts:       Parts{System: &oracle{}, Store: decided{intent: toSecond}, Consumers: &fleet{}},
		Environment: Environment{Refused: Tally{count, time.Hour}},
	}, toSecond)
	rec := Record{Intent: &toSecond, Live: live(2), Gone: map[Version]Tombstone{1: {}}, Editions: []Edition{{N: 2, View: only(2)}}}
	if s, err := list[len(list)-1].Check(t.Context(), rec); err != nil || s.Phase != Done {
		t.Errorf("%+v, %v", s, err)
	}
}
