package rotation

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// verifiers is a rotation whose system reads the application's Secret itself: those who verify what
// was signed. A new version is known to all of them before anyone signs with it, and an old one
// stays known until the last thing signed with it has expired.
type verifiers struct {
	*overlap
	lives time.Duration // how long what is issued is valid, as the pods have shown it
}

// list is its checklist. In an emergency the target is published alone at once, and nothing waits
// for what was issued under the old version.
func (k *verifiers) list() []Step {
	list := []Step{k.decision.begin(), k.stage()}
	if !k.intent.Compromised {
		list = append(list, k.publish(), k.distribute())
	}
	list = append(list, k.activate().step(), k.rollout().step())
	if k.gates != nil {
		list = append(list, k.gates.verify())
	}
	if !k.intent.Compromised {
		list = append(list, k.outlive())
	}
	list = append(list, k.revoke(), k.forget())
	if k.intent.Compromised && k.aftermath != nil {
		list = append(list, sessions{k.core, k.aftermath}.step())
	}
	return append(list, k.retire())
}

// publish adds the target to what the application's Secret says to accept.
func (k *verifiers) publish() Step {
	return Step{
		Name:     StepPublish,
		Section:  During,
		Reached:  staged,
		Recorded: true,
		Goal:     "the application's Secret holds the new version beside the old one",
		Check: func(_ context.Context, rec Record) (State, error) {
			if !rec.Latest().View.Accepts(k.intent.To) {
				return rec.unpublished(fmt.Sprintf("%v is not published yet", k.intent.To)), nil
			}
			if len(rec.Behind) > 0 {
				return State{Phase: ToDo, Note: fmt.Sprintf("%v is published, and not yet in %s", k.intent.To, strings.Join(rec.Behind, ", "))}, nil
			}
			return State{Phase: Done, Note: fmt.Sprintf("%v is published", k.intent.To)}, nil
		},
		Guard: k.ready(k.stillKnown),
		Apply: func(ctx context.Context, rec Record) error {
			return k.Store.Publish(ctx, rec.Revision, rec.Latest().View.with(k.intent.To))
		},
		Plan: func(ctx context.Context, rec Record) ([]string, error) {
			return k.Store.Plan(ctx, rec, rec.Latest().View.with(k.intent.To))
		},
	}
}

// distribute has every verifier know the target.
func (k *verifiers) distribute() Step {
	return spread{
		name: StepDistribute, goal: "every pod accepts the new version", section: During, pods: k.pods,
		reached: func(rec Record) bool { return rec.Latest().View.Accepts(k.intent.To) },
		fits:    func(v View) bool { return v.Accepts(k.intent.To) },
		asks: k.prober.asking(func(rec Record, target Credential) Wanted {
			want := Wanted{Accept: []Credential{target}}
			if active, live := rec.Live[rec.Active()]; live && active.V != target.V {
				want.Accept = append(want.Accept, active)
			}
			return want
		}, false),
	}.step()
}

// rollout has every pod issue under the target.
func (k *verifiers) rollout() spread {
	rollout := k.onTarget()
	rollout.exposure = k.exposure
	if !k.intent.Compromised {
		rollout.anew = &anew{k.core}
	}
	return rollout
}

// activate has the target sign. All others are accepted still, unless they have leaked.
func (k *verifiers) activate() activation {
	step := activation{core: k.core, well: k.ready(k.stillKnown), view: func(rec Record) View {
		if k.intent.Compromised {
			return only(k.intent.To)
		}
		v := rec.Latest().View.with(k.intent.To)
		v.Active = k.intent.To
		return v
	}}
	if k.exposure != nil {
		step.made = func() { k.exposure.replaced = k.now() }
	}
	return step
}

// stillKnown says whether the target was accepted in all editions since it was active.
func (k *verifiers) stillKnown(editions []Edition) bool {
	for _, e := range slices.Backward(editions) {
		switch {
		case e.View.Active == k.intent.To:
			return true
		case !e.View.Accepts(k.intent.To):
			return false
		}
	}
	return true
}

// cutWarning is what the operator has to know before agreeing to end pods at once.
func (*verifiers) cutWarning() string {
	return "; all pods that know it are ended at once, whether or not others can take their place: an outage until new ones are ready"
}

// outlive waits until the last thing issued under the other versions has expired. It counts from
// the moment at which it was first seen that nobody issues under them any more.
func (k *verifiers) outlive() Step {
	return Step{
		Name:    StepDrain,
		Section: After,
		Reached: func(rec Record) bool { return !rec.Marks[MarkIdle].IsZero() },
		Goal:    "everything issued under the old version has expired",
		Check: func(ctx context.Context, rec Record) (State, error) {
			idle := k.mark(rec, MarkIdle)
			switch {
			case !published(rec):
				return State{Phase: Done, Note: "nothing was ever issued under it"}, nil
			case idle.IsZero():
				return State{Phase: ToDo, Note: "since when nobody issues under it is not on record yet"}, nil
			}
			life, err := k.valid(ctx)
			if err != nil {
				return State{}, err
			}
			if end := idle.Add(life); k.now().Before(end) {
				return State{Phase: Waiting, Until: end, Note: fmt.Sprintf("nothing is issued under it since %s; what was is valid for %v",
					idle.UTC().Format(time.TimeOnly), life)}, nil
			}
			return State{Phase: Done, Note: fmt.Sprintf("nothing was issued under it for %v", life)}, nil
		},
		Apply: func(ctx context.Context, rec Record) error {
			return k.noteMark(ctx, rec, MarkIdle)
		},
		Guard:    k.healthy, // a pod that a controller still makes could issue under an old version again
		Resurvey: true,
	}
}

// valid is how long what was issued stays valid: as the pods themselves show it, else as the
// options say.
func (k *verifiers) valid(ctx context.Context) (time.Duration, error) {
	if k.prober == nil {
		return k.lifetime, nil
	}
	if k.lives > 0 {
		return k.lives, nil
	}
	workloads, err := k.Consumers.Workloads(ctx)
	if err == nil {
		k.lives, err = k.prober.probed.Lifetime(ctx, workloads)
	}
	if err != nil {
		return 0, fmt.Errorf("how long what was issued is valid: %w", err)
	}
	return k.lives, nil
}

// revoke takes the other versions out of the application's Secret.
func (k *verifiers) revoke() Step {
	return Step{
		Name:    StepRevoke,
		Section: After,
		Goal:    "the application's Secret holds the new version alone",
		Check: func(_ context.Context, rec Record) (State, error) {
			if !k.alone(rec.Latest().View) {
				return rec.unpublished(fmt.Sprintf("%s still accepted", ids(rec.Others()))), nil
			}
			return State{Phase: Done, Note: fmt.Sprintf("only %v is accepted", k.intent.To)}, nil
		},
		Apply: func(ctx context.Context, rec Record) error {
			return k.Store.Publish(ctx, rec.Revision, only(k.intent.To))
		},
		Plan: func(ctx context.Context, rec Record) ([]string, error) {
			return k.Store.Plan(ctx, rec, only(k.intent.To))
		},
		Guard:    k.healthy,
		Resurvey: true,
	}
}

// alone says whether v accepts the target and nothing else.
func (k *verifiers) alone(v View) bool { return slices.Equal(v.Accept, []Version{k.intent.To}) }

// forget has every verifier refuse the other versions.
func (k *verifiers) forget() Step {
	return spread{
		name: StepForget, goal: "no pod accepts the old version", section: After, pods: k.pods, fits: k.alone,
		reached: func(rec Record) bool { return k.alone(rec.Latest().View) && !rec.Marks[MarkIdle].IsZero() },
		asks: k.prober.asking(func(rec Record, target Credential) Wanted {
			want := Wanted{Accept: []Credential{target}, Urgent: k.intent.Compromised}
			for _, c := range rec.Others() {
				if !c.Value.Empty() {
					want.Refuse = append(want.Refuse, c)
				}
			}
			return want
		}, true),
		unsaid: k.intent.Compromised, // the rollout before it brings every pod there already
	}.step()
}

// retire forgets the values of the other versions.
func (k *verifiers) retire() Step {
	step := Step{
		Name:    StepRetire,
		Section: After,
		Goal:    "the old version is gone from the record",
		Check: func(ctx context.Context, rec Record) (State, error) {
			if !rec.Standby() {
				return State{Phase: ToDo, Note: fmt.Sprintf("%s still on record", ids(rec.Others()))}, nil
			}
			return k.counting.check(ctx, State{Phase: Done, Note: fmt.Sprintf("%s gone", ids(rec.Others()))})
		},
		Apply: func(ctx context.Context, rec Record) error {
			for _, c := range rec.Others() {
				if _, live := rec.Live[c.V]; live {
					return k.Store.Retire(ctx, rec.Revision, c.V)
				}
			}
			return nil
		},
		Guard:    k.through,
		Resurvey: true,
		Final:    !k.intent.Compromised, // then there never was one
	}
	if k.counting != nil {
		step.Plan = func(context.Context, Record) ([]string, error) { return k.counting.plan(nil), nil }
	}
	return step
}

// through holds the end of an answer to a leak up while a controller is still replacing pods: what
// it makes may be handed an old Secret, and nobody would look at it any more.
func (k *verifiers) through(ctx context.Context, _ Record) (State, error) {
	if !k.intent.Compromised {
		return State{Phase: Done}, nil
	}
	workloads, err := k.Consumers.Workloads(ctx)
	if err != nil {
		return State{}, err
	}
	for _, w := range workloads {
		if !w.Settled {
			return State{Phase: Waiting, Note: w.Name + " is not settled: what it still makes is looked at too", Items: problems(w)}, nil
		}
	}
	return State{Phase: Done}, nil
}
