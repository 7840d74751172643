package rotation

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Parts are the two seams of a rotation and its consumers.
type Parts struct {
	System    System
	Store     Store
	Consumers Consumers
}

// Options are what an operator may set. The zero value waits for nothing but evidence.
type Options struct {
	Soak     time.Duration // how long the other versions stay quarantined before they are erased
	Window   time.Duration // how long nobody may be seen on the other versions before they count as idle
	Lifetime time.Duration // how long after the last change what was issued under the old version is valid, leeway included
	Skew     time.Duration // how far the clocks of the API server and the nodes may be apart
	// Reloads says that consumers read the Secret again while they run: none is restarted, and what each of them does is seen
	// by asking it, which takes a [Probed].
	Reloads bool
	// Terminate lets revoke end the sessions of clients that are not known pods; otherwise drain waits for them.
	Terminate bool
	// Preflight is looked at before a rotation begins: each may refuse, or give items, and changes nothing. Done ones are
	// shown; the others are what the operator has to agree to beside the rotation itself, and those with a Consent of their
	// own are asked for one by one: agreeing is recorded.
	Preflight []func(context.Context, Record) ([]Item, error)
	// Protect is inspected before the first effect of every run: of one that begins, that goes on, that aborts, and in an
	// emergency. It is what keeps a run from harming others than its target: who can write the record can have a run begin
	// in the middle. The record that it is given has the run's own intent. Items are as those of Preflight.
	Protect []func(context.Context, Record) ([]Item, error)
	// Canary is how the target is tried by one pod before all others are handed it, and how what is left of that is found; nil:
	// there is no way. TryFirst has it tried.
	Canary   Canary
	TryFirst bool
	// Gates are looked at once every pod runs on the new version, and from then on to the end of the soak.
	Gates []Gate
	// Who names what has an address and is no consumer, as far as it is known; "" is nobody known. Nil: nobody is.
	Who func(ctx context.Context, address string) string
	// Missed is who was turned away with one of the refused since then, as far as anything tells; an error says why that is
	// not known, beside what is. It changes nothing. Nil: nothing tells.
	Missed func(ctx context.Context, since time.Time, refused []Credential) ([]Refusal, error)
	// Cut ends pods of a workload, all at once and past any budget, with a second to finish. Where it is set, and a value has leaked, every pod that
	// may hold it is ended before anything comes in its place. Nil: pods are replaced as their controllers do that.
	Cut func(ctx context.Context, w Workload, pods []Pod) error
	// Exits are the pods that this run has seen, with the ends of those that have ended. Nil: nobody looks.
	Exits func() []Exit
	// Asked is when the command was given; how long an answer to a leak took is counted from then.
	Asked time.Time
	// Refused tells at the end of an answer to a leak how many requests were refused.
	Refused Tally
	// Aftermath is what is done once no pod accepts what has leaked, such as ending the sessions that came of it. Nil: nothing.
	Aftermath Aftermath
	// Want is what the intent was decided from: begin decides again on the very record that it writes to.
	Want Want
	// Now is the API server's clock; nil is the local one.
	Now func() time.Time
}

// overlap is one rotation: its parts, its intent, and what was seen during this run.
type overlap struct {
	Parts
	Options
	intent Intent
	quiet  time.Time // since when this run has seen nobody on the other versions

	sick   time.Time // since when the canary has a problem
	unseen time.Time // since when it is ready, and unseen at the server
	gone   bool      // no canary is left

	watches []watch  // what this run has seen of each gate
	without []string // what preflight has found missing that the operator may begin without

	clients map[string]string // who had an address when it was turned away

	replaced map[string]int // how many pods of each workload this run has ended for what they did
	lives    time.Duration  // how long what is issued is valid, as the pods have shown it

	off   map[string]bool      // pods that this run has ended at once
	cutAt map[string]time.Time // and when it did so, by workload

	madeActive time.Time // when this run has made the target active
}

// Overlap is the checklist of a rotation in which the old version and the new one are valid side by side until
// nobody uses the old one. For an abort it is the same list: the intent swaps target and
// others, and nothing else. For a compromised value it is a shorter one: what waits for users of
// the old version is left out. So it is where the server keeps one value at a time ([Single]): the old one is refused
// from install on, and waiting for its users would protect nobody.
//
// The order is the proof that no consumer ever holds what its server refuses: a version is accepted before
// it is active, everywhere before the others are looked at, and idle before it is refused.
func Overlap(p Parts, i Intent, o Options) []Step {
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &overlap{Parts: p, Options: o, intent: i}
	server, told := p.System.(Server)
	list := []Step{r.begin(), r.stage()}
	if told {
		s := &acceptor{r, server}
		list = append(list, s.install())
		if r.tries() {
			list = append(list, r.canary())
		}
		list = append(list, r.activate())
		if r.cuts() {
			return append(list, s.revoke(), r.rollout(), r.tallied(s.retire()))
		}
		list = append(list, r.rollout())
		if r.gated() {
			list = append(list, r.verify())
		}
		if !i.Compromised && r.gap() == "" {
			list = append(list, r.drain())
		}
		list = append(list, s.revoke())
		if !i.Compromised {
			list = append(list, r.soak())
		}
		return append(list, r.tallied(s.retire()))
	}
	k := &verifiers{r}
	if !i.Compromised {
		list = append(list, k.publish(), k.distribute())
	}
	list = append(list, r.activate(), r.safe(k.rollout()))
	if r.gated() {
		list = append(list, r.verify())
	}
	if !i.Compromised {
		list = append(list, k.outlive())
	}
	list = append(list, k.revoke(), k.forget())
	if i.Compromised && o.Aftermath != nil {
		list = append(list, k.sessions())
	}
	return append(list, r.tallied(k.retire()))
}

// tries says whether one pod tries the target first. Where the versions cannot overlap there is no such time, and nothing
// holds up the way back, or the answer to a leak.
func (o *overlap) tries() bool {
	return o.Canary != nil && o.TryFirst && !o.intent.Back && !o.intent.Compromised && o.gap() == ""
}

// fence reads the intent again, for a Server to call right before an effect.
func (o *overlap) fence(ctx context.Context) error {
	rec, err := o.Store.Load(ctx)
	if err != nil {
		return fmt.Errorf("reading the intent again: %w", err)
	}
	return o.intent.Mine(rec)
}

// begin makes the intent durable. Where nothing was on record, or the value in the Secret was on none,
// an edition is written down for what the Secret holds now.
func (o *overlap) begin() Step {
	return Step{
		Name:     StepBegin,
		Section:  Before,
		Decides:  true,
		Shows:    true,
		Recorded: true,
		Goal:     "the decision is recorded",
		Check: func(_ context.Context, rec Record) (State, error) {
			if mine := o.intent.Mine(rec); mine != nil {
				if i, err := Decide(rec, o.Want); err != nil || !i.same(o.intent) {
					return State{}, errors.Join(mine, err)
				}
				return State{Phase: ToDo, Note: fmt.Sprintf("%v to %v is not recorded yet", o.intent.From, o.intent.To)}, nil
			}
			return State{Phase: Done, Note: fmt.Sprintf("%v to %v, decided by %s", o.intent.From, o.intent.To, o.intent.By)}, nil
		},
		Guard: o.preflight,
		Apply: func(ctx context.Context, rec Record) error {
			return o.Store.Note(ctx, rec.Revision, o.note)
		},
		Plan:    o.gapPlan(),
		Ask:     o.question(),
		Consent: o.consent(),
		Final:   o.intent.Compromised,
	}
}

func (o *overlap) question() string {
	if gap := o.gap(); gap != "" {
		return o.whatIsAsked() + "; " + gap
	}
	return o.whatIsAsked()
}

func (o *overlap) whatIsAsked() string {
	switch {
	case o.intent.Back && o.gap() != "":
		return fmt.Sprintf("go back to %v and forget %v", o.intent.To, o.intent.From)
	case o.intent.Back:
		return fmt.Sprintf("go back to %v and erase %v; nothing is refused before nobody uses it", o.intent.To, o.intent.From)
	case o.intent.Compromised:
		return fmt.Sprintf("replace %v by %v at once; there is no way back%s%s", o.intent.From, o.intent.To, o.cutWarning(), o.endWarning())
	}
	return fmt.Sprintf("rotate %v to %v; until %v is retired, `kubectl rotate abort` undoes it", o.intent.From, o.intent.To, o.intent.From)
}

// preflight is looked at on the way there only: nothing holds up the way back.
func (o *overlap) preflight(ctx context.Context, rec Record) (State, error) {
	s := State{Phase: Done}
	if o.intent.Back {
		return s, nil
	}
	o.without = nil
	startOver := func(_ context.Context, rec Record) ([]Item, error) { return rec.startOver(o.intent.Compromised), nil }
	for _, look := range append([]func(context.Context, Record) ([]Item, error){startOver}, o.Preflight...) {
		items, err := look(ctx, rec)
		if err != nil {
			return State{}, err
		}
		for _, i := range items {
			i.MaySkip = i.Consent != "" && i.Phase != Done
			if i.MaySkip {
				o.without = append(o.without, i.Name)
			}
			s.Items = append(s.Items, i)
		}
	}
	return s, nil
}

// note writes the intent of this list into rec.
func (o *overlap) note(rec *Record) {
	latest := rec.Latest()
	if len(rec.Editions) == 0 {
		rec.Editions = []Edition{latest}
	}
	i := o.intent
	adopted := !i.Back && i.From != latest.View.Active
	if adopted {
		rec.Editions = append(rec.Editions, Edition{N: latest.N + 1, View: only(i.From), Written: o.Now()})
	}
	rec.Intent = &i
	rec.High = max(rec.High, i.To, i.From)
	rec.Marks = map[string]time.Time{}
	rec.Skipped = o.skipping(nil, o.without)
}

// stage makes the values durable before anything depends on them: the one in use first, then the new one.
func (o *overlap) stage() Step {
	return Step{
		Name:     StepStage,
		Section:  Before,
		Reached:  func(rec Record) bool { return rec.Intent != nil },
		Recorded: true,
		Goal:     "both values are saved in the cluster",
		Check: func(_ context.Context, rec Record) (State, error) {
			if o.unsaved(rec) {
				return State{Phase: ToDo, Note: fmt.Sprintf("%v, in use now, is not saved yet", o.intent.From)}, nil
			}
			t, ok := rec.Target()
			if !ok {
				return State{Phase: ToDo, Note: fmt.Sprintf("%v has no value yet", o.intent.To)}, nil
			}
			return State{Phase: Done, Note: fmt.Sprintf("%v is %s", t.V, t.ID)}, nil
		},
		Apply: o.save,
	}
}

// staged says whether both values are saved.
func staged(rec Record) bool {
	_, ok := rec.Target()
	return ok
}

// unsaved says whether the value in the application's Secret is the one this rotation leads away from, or
// back to, and is on no record yet.
func (o *overlap) unsaved(rec Record) bool {
	_, saved := rec.Live[rec.Active()]
	_, retired := rec.Gone[rec.Active()]
	return !saved && !retired
}

func (o *overlap) save(ctx context.Context, rec Record) error {
	if o.unsaved(rec) {
		c := rec.Current
		if c.V != 0 {
			return fmt.Errorf("saving the value in use as %v: it is on record as %v", rec.Active(), c.V)
		}
		c.V = rec.Active()
		return o.Store.Stage(ctx, rec.Revision, c)
	}
	if o.intent.Back {
		return Refuse(fmt.Errorf("%v has no value on record: there is no way back to it", o.intent.To))
	}
	current, ok := rec.Live[rec.Active()]
	if !ok {
		return fmt.Errorf("the value in use, %v, is retired: nothing to model a new one on", rec.Active())
	}
	c, err := o.System.Generate(ctx, o.intent.To, current)
	if err != nil {
		return err
	}
	c.V = o.intent.To
	return o.Store.Stage(ctx, rec.Revision, c)
}
