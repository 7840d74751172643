package rotation

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"
)

// Each doubt is asked about by itself: a consent of one kind settles no other, and none settles the same doubt about something else.
func TestOneConsentSettlesOneDoubt(t *testing.T) {
	silent := Item{Name: "pod/a", Phase: Doubtful, Consent: ConsentNodes, Note: "its node does not report"}
	other := Item{Name: "pod/b", Phase: Doubtful, Consent: ConsentNodes, Note: "its node does not report"}
	unseen := Item{Name: "pod/canary", Phase: Doubtful, Consent: ConsentUnseen}
	pod := func(name string) Item { return Item{Name: name, Of: "deployment/backend", Phase: Doubtful} }
	looks := func(items ...Item) State { return State{Phase: Doubtful, Items: items} }
	for _, c := range []struct {
		name   string
		states []State // one look after the other
		asked  []string
	}{
		{"nothing in particular is unproven", []State{{Phase: Doubtful}}, []string{ConsentUnproven}},
		{"a step has a doubt of its own", []State{{Phase: Doubtful, Consent: ConsentUsers}}, []string{ConsentUsers}},
		{"two doubts", []State{looks(silent, unseen)}, []string{ConsentNodes, ConsentUnseen}},
		{"one doubt about two pods", []State{looks(silent, other)}, []string{ConsentNodes}},
		{"the same again", []State{looks(silent), looks(silent)}, []string{ConsentNodes}},
		{"the same about another pod", []State{looks(silent), looks(silent, other)}, []string{ConsentNodes, ConsentNodes}},
		{"other pods of one workload that cannot be asked", []State{looks(pod("pod/x")), looks(pod("pod/y"))}, []string{ConsentUnproven}},
		{"what is proven is not asked about", []State{looks(Item{Name: "a", Phase: Done, Consent: ConsentNodes}, unseen)}, []string{ConsentUnseen}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var asked []string
			n := 0
			s := newScript(t)
			s.Steps = []Step{{Name: "x", Check: func(context.Context, Record) (State, error) { n++; return c.states[n-1], nil }}}
			s.Consent = func(_ context.Context, q Question) error { asked = append(asked, q.Kind); return nil }
			for range c.states {
				if next, _, err := s.Advance(t.Context(), 0); next != 1 || err != nil {
					t.Fatalf("at step %d: %v", next, err)
				}
			}
			if !slices.Equal(asked, c.asked) {
				t.Errorf("asked for %v, want %v", asked, c.asked)
			}
		})
	}
}

// What was agreed to by habit does not settle what is dangerous: each step that is not proven names its kind.
func TestWhatIsNotProvenHasAKindOfItsOwn(t *testing.T) {
	rec := Record{
		Intent: &toSecond, Live: live(1, 2), Editions: editions(only(1), only(2)), Marks: map[string]time.Time{MarkQuarantined: noon},
	}
	m := made{Setup{Parts: Parts{System: blind{}, Consumers: &fleet{}}, Environment: Environment{Now: func() time.Time { return noon }}}, toSecond}
	for kind, step := range map[string]Step{
		ConsentUsers:     m.overlap().users.drain(),
		ConsentUnrefused: m.acceptor().revoke(),
		ConsentUnproven:  m.acceptor().install(),
	} {
		s := newScript(t)
		s.Steps = []Step{{Name: step.Name, Check: func(ctx context.Context, _ Record) (State, error) { return step.Check(ctx, rec) }}}
		var asked []string
		s.Consent = func(_ context.Context, q Question) error {
			asked = append(asked, q.Kind)
			if q.Kind == kind || q.Kind == ConsentUsers {
				return nil
			}
			return ErrConsent
		}
		if _, _, err := s.Advance(t.Context(), 0); err != nil || !slices.Contains(asked, kind) {
			t.Errorf("%s asks for %v, %v; want %s", step.Name, asked, err, kind)
		}
		s.agreed, s.Consent = nil, func(_ context.Context, q Question) error {
			if q.Kind == ConsentUnproven && kind != ConsentUnproven {
				return nil
			}
			return ErrConsent
		}
		if _, _, err := s.Advance(t.Context(), 0); !errors.Is(err, ErrConsent) {
			t.Errorf("%s went on with another consent: %v", step.Name, err)
		}
	}
}

// blind is a server that can prove nothing.
type blind struct{ Server }

func (blind) Standing(context.Context, Credential) ([]Standing, error) {
	return []Standing{{Where: "node", Status: Unproven}}, nil
}

func (blind) InUse(context.Context, Credential) (Usage, error) { return Usage{}, nil }
