package rotation

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// verifiers is a rotation whose system reads the application's Secret itself: those who verify what was
// signed. A new version is known to all of them before anyone signs with it, and an old one stays
// known until the last thing signed with it has expired.
type verifiers struct{ *overlap }

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
		Guard: k.ready,
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
	return k.everywhere(spread{
		name: StepDistribute, goal: "every pod accepts the new version", section: During,
		reached: func(rec Record) bool { return rec.Latest().View.Accepts(k.intent.To) },
		fits:    func(v View) bool { return v.Accepts(k.intent.To) },
		want: func(rec Record, target Credential) Wanted {
			want := Wanted{Accept: []Credential{target}}
			if active, live := rec.Live[rec.Active()]; live && active.V != target.V {
				want.Accept = append(want.Accept, active)
			}
			return want
		},
	})
}

// rollout has every pod issue under the target. Where it was so, and a pod is found that may issue under another version again, what
// was waited for begins anew: that it was so once is forgotten before anything else is done about it.
func (k *verifiers) rollout() Step {
	rollout := k.overlap.rollout()
	check, apply := rollout.Check, rollout.Apply
	again := func(rec Record, s State) bool {
		return !k.intent.Compromised && !k.mark(rec, MarkIdle).IsZero() && slices.ContainsFunc(s.Items, func(i Item) bool { return i.Phase == ToDo })
	}
	rollout.Check = func(ctx context.Context, rec Record) (State, error) {
		s, err := check(ctx, rec)
		s.worsen(err == nil && again(rec, s), ToDo)
		return s, err
	}
	rollout.Apply = func(ctx context.Context, rec Record) error {
		if k.mark(rec, MarkIdle).IsZero() || k.intent.Compromised {
			return apply(ctx, rec)
		}
		return k.Store.Note(ctx, rec.Revision, func(r *Record) {
			r.Marks = maps.Clone(r.Marks)
			delete(r.Marks, MarkIdle)
		})
	}
	return rollout
}

// outlive waits until the last thing issued under the other versions has expired. It counts from the moment
// at which it was first seen that nobody issues under them any more.
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
			life, err := k.lifetime(ctx)
			if err != nil {
				return State{}, err
			}
			if end := idle.Add(life); k.Now().Before(end) {
				return State{Phase: Waiting, Until: end, Note: fmt.Sprintf("nothing is issued under it since %s; what was is valid for %v",
					idle.UTC().Format(time.TimeOnly), life)}, nil
			}
			return State{Phase: Done, Note: fmt.Sprintf("nothing was issued under it for %v", life)}, nil
		},
		Apply: func(ctx context.Context, rec Record) error {
			return k.Store.Note(ctx, rec.Revision, func(r *Record) { r.Marks = marked(r.Marks, MarkIdle, k.Now()) })
		},
		Guard:    k.healthy, // a pod that a controller still makes could issue under an old version again
		Resurvey: true,
	}
}

// lifetime is how long what was issued stays valid: as the pods themselves show it, else as the options say.
func (k *verifiers) lifetime(ctx context.Context) (time.Duration, error) {
	p, ok := k.System.(Probed)
	if !ok {
		return k.Lifetime, nil
	}
	if k.lives > 0 {
		return k.lives, nil
	}
	workloads, err := k.Consumers.Workloads(ctx)
	if err == nil {
		k.lives, err = p.Lifetime(ctx, workloads)
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
	step := k.everywhere(spread{
		name: StepForget, goal: "no pod accepts the old version", section: After, fits: k.alone, settles: true,
		reached: func(rec Record) bool { return k.alone(rec.Latest().View) && !rec.Marks[MarkIdle].IsZero() },
		want: func(rec Record, target Credential) Wanted {
			want := Wanted{Accept: []Credential{target}, Urgent: k.intent.Compromised}
			for _, c := range rec.Others() {
				if !c.Value.Empty() {
					want.Refuse = append(want.Refuse, c)
				}
			}
			return want
		},
	})
	if k.intent.Compromised {
		step.Plan = nil // the rollout before it brings every pod there already
	}
	return step
}

// retire forgets the values of the other versions.
func (k *verifiers) retire() Step {
	return Step{
		Name:    StepRetire,
		Section: After,
		Goal:    "the old version is gone from the record",
		Check: func(_ context.Context, rec Record) (State, error) {
			if !rec.Standby() {
				return State{Phase: ToDo, Note: fmt.Sprintf("%s still on record", ids(rec.Others()))}, nil
			}
			return State{Phase: Done, Note: fmt.Sprintf("%s gone", ids(rec.Others()))}, nil
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
}

// through holds the end of an answer to a leak up while a controller is still replacing pods: what it makes may be handed an
// old Secret, and nobody would look at it any more.
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
