package rotation

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Canary starts one more pod of a consumer, which nobody's requests go to, with the target while
// all others hold the version before. It is the one proof that goes the application's own way: its
// driver, its pooler, its network, its settings.
type Canary interface {
	// Look gives the canaries that there are, terminating ones too, whatever decision they were
	// started under.
	Look(context.Context) ([]CanaryPod, error)
	// Start has one there for the decision that rec's intent is, with its target. It can be repeated.
	Start(ctx context.Context, rec Record) error
	// End removes one, with all that was made for it. One that is gone stays sc.
	End(context.Context, CanaryPod) error
	// Plan says what Start would do, line by line, with no value in it.
	Plan(context.Context) ([]string, error)
}

// CanaryPod is a canary.
type CanaryPod struct {
	Pod
	Of      string // the workload that it is a copy of: "deployment/backend"
	Attempt int    // the decision that it was started under
}

// canaryPatience is how long a canary may have a problem before that is a failure, and how long one
// that is ready may be unseen at the server before it counts as unproven.
const canaryPatience = 30 * time.Second

// canaries starts, observes and ends the canary pods of one rotation. It is nil where none can be
// started.
type canaries struct {
	core
	canary Canary

	sick   time.Time // since when the canary has a problem
	unseen time.Time // since when it is ready, and unseen at the server
	gone   bool      // no canary is left
}

// step has one pod of the application's own be well on the target before anybody else is handed it.
// It is there until activate is done; from then on all pods say more than it did.
func (c *canaries) step() Step {
	return Step{
		Name:    StepCanary,
		Section: During,
		Goal:    "one more pod of a consumer is well on the new version",
		Check:   c.tried,
		Apply: func(ctx context.Context, rec Record) error {
			others, err := c.staying(ctx, func(p CanaryPod) bool { return p.Attempt != c.intent.Attempt })
			if err != nil {
				return err
			}
			if err := c.fence(ctx); err != nil {
				return err
			}
			for _, p := range others {
				if err := c.canary.End(ctx, p); err != nil {
					return err
				}
			}
			return c.canary.Start(ctx, rec)
		},
		Plan: func(ctx context.Context, _ Record) ([]string, error) { return c.canary.Plan(ctx) },
	}
}

// staying are those that fit and are to stay.
func (c *canaries) staying(ctx context.Context, fits func(CanaryPod) bool) ([]CanaryPod, error) {
	all, err := c.canary.Look(ctx)
	return slices.DeleteFunc(all, func(p CanaryPod) bool { return p.Terminating || !fits(p) }), err
}

func (c *canaries) tried(ctx context.Context, rec Record) (State, error) {
	if rec.Active() == c.intent.To {
		return State{Phase: Done, Note: fmt.Sprintf("%v is active", c.intent.To)}, nil
	}
	mine, err := c.staying(ctx, func(p CanaryPod) bool { return p.Attempt == c.intent.Attempt })
	if err != nil || len(mine) == 0 {
		return State{Phase: ToDo, Note: fmt.Sprintf("no pod has tried %v", c.intent.To)}, err
	}
	p := mine[0]
	phase, note, err := c.health(ctx, rec, p)
	return State{Phase: phase, Note: fmt.Sprintf("a copy of %s: %s", p.Of, note), Items: []Item{{Name: "pod/" + p.Name, Phase: phase, Note: note, Consent: ConsentUnseen}}}, err
}

// health is how a canary fares.
func (c *canaries) health(ctx context.Context, rec Record, p CanaryPod) (Phase, string, error) {
	switch {
	case p.Problem != "" && c.lasts(&c.sick, canaryPatience):
		return Failed, p.Problem, nil
	case p.Problem != "":
		c.unseen = time.Time{}
		return Waiting, p.Problem, nil
	}
	c.sick = time.Time{}
	if !p.Ready {
		c.unseen = time.Time{} // how long it may be unseen counts from when it serves
		return Waiting, "starting", nil
	}
	return c.seen(ctx, rec, p)
}

// seen says whether the server has sessions of the target from a canary that is ready.
func (c *canaries) seen(ctx context.Context, rec Record, p CanaryPod) (Phase, string, error) {
	t, ok := rec.Target()
	if !ok {
		return "", "", fmt.Errorf("%v has no value on record", c.intent.To)
	}
	use, err := c.System.InUse(ctx, t)
	if err != nil {
		return "", "", fmt.Errorf("who uses %s: %w", t.ID, err)
	}
	own := 0
	for _, s := range use.Sessions {
		if slices.Contains(p.Addresses, s.Address) && !s.Since.Before(p.Created) {
			own++
		}
	}
	switch {
	case !use.Known:
		return Doubtful, "ready; the server cannot tell who uses " + t.ID, nil
	case own > 0:
		return Done, fmt.Sprintf("ready, with %d sessions of %s", own, t.ID), nil
	case c.lasts(&c.unseen, canaryPatience):
		return Doubtful, fmt.Sprintf("ready, and the server has no session of %s from its address: it may come by way of a pooler, or only when it is asked for something", t.ID), nil
	}
	return Waiting, "ready; no session of " + t.ID + " yet", nil
}

// lasts says whether something has been so for d, as this run has seen it since *since.
func (c *canaries) lasts(since *time.Time, d time.Duration) bool {
	if since.IsZero() {
		*since = c.now()
	}
	return !c.now().Before(since.Add(d))
}

// left adds the remaining canaries to a state, which is not done until none remains.
func (c *canaries) left(ctx context.Context, s State) (State, error) {
	if c == nil || c.gone {
		return s, nil
	}
	left, err := c.canary.Look(ctx)
	c.gone = err == nil && len(left) == 0 // and none is started any more
	for _, p := range left {
		item := Item{Name: "pod/" + p.Name, Phase: ToDo, Note: "the canary is not needed any more"}
		if p.Terminating {
			item.Phase, item.Note = Waiting, "the canary is terminating"
		}
		s.worsen(true, item.Phase)
		s.Items = append(s.Items, item)
	}
	return s, err
}

// endAll ends all remaining canaries.
func (c *canaries) endAll(ctx context.Context) error {
	if c == nil {
		return nil
	}
	left, err := c.staying(ctx, func(CanaryPod) bool { return true })
	if err != nil {
		return err
	}
	for _, p := range left {
		if err := c.fence(ctx); err != nil {
			return err
		}
		if err := c.canary.End(ctx, p); err != nil {
			return err
		}
	}
	return nil
}
