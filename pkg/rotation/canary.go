package rotation

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Canary starts one more pod of a consumer, which nobody's requests go to, with the target while all others hold the version
// before. It is the one proof that goes the application's own way: its driver, its pooler, its network, its settings.
type Canary interface {
	// Look gives the canaries that there are, terminating ones too, whatever decision they were started under.
	Look(context.Context) ([]CanaryPod, error)
	// Start has one there for the decision that rec's intent is, with its target. It can be repeated.
	Start(ctx context.Context, rec Record) error
	// End removes one, with all that was made for it. One that is gone stays so.
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

// canaryPatience is how long a canary may have a problem before that is a failure, and how long one that is ready may be
// unseen at the server before it counts as unproven.
const canaryPatience = 30 * time.Second

// canary has one pod of the application's own be well on the target before anybody else is handed it. It is there until
// activate is done; from then on all pods say more than it did.
func (o *overlap) canary() Step {
	return Step{
		Name:    StepCanary,
		Section: During,
		Goal:    "one more pod of a consumer is well on the new version",
		Check:   o.tried,
		Apply: func(ctx context.Context, rec Record) error {
			others, err := o.canaries(ctx, func(p CanaryPod) bool { return p.Attempt != o.intent.Attempt })
			if err != nil {
				return err
			}
			if err := o.fence(ctx); err != nil {
				return err
			}
			for _, p := range others {
				if err := o.Canary.End(ctx, p); err != nil {
					return err
				}
			}
			return o.Canary.Start(ctx, rec)
		},
		Plan: func(ctx context.Context, _ Record) ([]string, error) { return o.Canary.Plan(ctx) },
	}
}

// canaries are those that fit and are to stay.
func (o *overlap) canaries(ctx context.Context, fits func(CanaryPod) bool) ([]CanaryPod, error) {
	all, err := o.Canary.Look(ctx)
	return slices.DeleteFunc(all, func(p CanaryPod) bool { return p.Terminating || !fits(p) }), err
}

func (o *overlap) tried(ctx context.Context, rec Record) (State, error) {
	if rec.Active() == o.intent.To {
		return State{Phase: Done, Note: fmt.Sprintf("%v is active", o.intent.To)}, nil
	}
	mine, err := o.canaries(ctx, func(p CanaryPod) bool { return p.Attempt == o.intent.Attempt })
	if err != nil || len(mine) == 0 {
		return State{Phase: ToDo, Note: fmt.Sprintf("no pod has tried %v", o.intent.To)}, err
	}
	p := mine[0]
	phase, note, err := o.health(ctx, rec, p)
	return State{Phase: phase, Note: fmt.Sprintf("a copy of %s: %s", p.Of, note), Items: []Item{{Name: "pod/" + p.Name, Phase: phase, Note: note, Consent: ConsentUnseen}}}, err
}

// health is how a canary fares.
func (o *overlap) health(ctx context.Context, rec Record, p CanaryPod) (Phase, string, error) {
	switch {
	case p.Problem != "" && o.lasts(&o.sick, canaryPatience):
		return Failed, p.Problem, nil
	case p.Problem != "":
		o.unseen = time.Time{}
		return Waiting, p.Problem, nil
	}
	o.sick = time.Time{}
	if !p.Ready {
		o.unseen = time.Time{} // how long it may be unseen counts from when it serves
		return Waiting, "starting", nil
	}
	return o.seen(ctx, rec, p)
}

// seen says whether the server has sessions of the target from a canary that is ready.
func (o *overlap) seen(ctx context.Context, rec Record, p CanaryPod) (Phase, string, error) {
	t, ok := rec.Target()
	if !ok {
		return "", "", fmt.Errorf("%v has no value on record", o.intent.To)
	}
	use, err := o.System.InUse(ctx, t)
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
	case o.lasts(&o.unseen, canaryPatience):
		return Doubtful, fmt.Sprintf("ready, and the server has no session of %s from its address: it may come by way of a pooler, or only when it is asked for something", t.ID), nil
	}
	return Waiting, "ready; no session of " + t.ID + " yet", nil
}

// lasts says whether something has been so for d, as this run has seen it since *since.
func (o *overlap) lasts(since *time.Time, d time.Duration) bool {
	if since.IsZero() {
		*since = o.Now()
	}
	return !o.Now().Before(since.Add(d))
}

// withoutCanaries is a rollout that is done when no canary is left either.
func (o *overlap) withoutCanaries(rollout Step) Step {
	if o.Canary == nil {
		return rollout
	}
	check, apply := rollout.Check, rollout.Apply
	rollout.Check = func(ctx context.Context, rec Record) (State, error) {
		s, err := check(ctx, rec)
		if err != nil || o.gone {
			return s, err
		}
		left, err := o.Canary.Look(ctx)
		o.gone = err == nil && len(left) == 0 // and none is started any more
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
	rollout.Apply = func(ctx context.Context, rec Record) error {
		left, err := o.canaries(ctx, func(CanaryPod) bool { return true })
		if err != nil {
			return err
		}
		for _, p := range left {
			if err := o.fence(ctx); err != nil {
				return err
			}
			if err := o.Canary.End(ctx, p); err != nil {
				return err
			}
		}
		return apply(ctx, rec)
	}
	return rollout
}
