package rotation

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Gate is a look at how the application fares on the new version, beside what the steps prove: a
// number of its monitoring, an answer of its own, its logs. A gate is health: it holds a rotation
// up before anything is taken away, and no step is done because of it. It changes nothing.
type Gate struct {
	Name string // its own among a target's; skipping one is recorded under it
	Want string // what it wants to see, for people
	// Look says how things are now: Done is good and Failed bad; Waiting and Doubtful are for what
	// cannot be told now, or not at all. An error counts as Waiting: what could not be looked at
	// neither passes nor fails. The item's name is set by the list.
	Look     func(context.Context, Record) (Item, error)
	Hold     time.Duration // how long it has to be good without a break, as this run has seen it
	Patience time.Duration // how long it may be bad without a break before that is a failure
}

// lookLimit is how long one look at a gate may take: one that hangs is not known, and holds up no
// look at the others.
const lookLimit = 15 * time.Second

// How old a look at a gate may be: while it is waited for, and while the old version is refused.
const (
	freshLook   = time.Second
	settledLook = 10 * time.Second
)

// watch is what this run has seen of one gate.
type watch struct {
	item      Item      // of the last look
	looked    time.Time // when that was
	good, bad time.Time // since when it has been so; zero while it is not
}

// gates are the gates of one rotation, and what this run has observed of each. It is nil where
// there are none.
type gates struct {
	all    []Gate
	leaked bool // an emergency waits for none of them
	now    func() time.Time
	skips  skips

	watches []watch
}

// verify has the application well on the new version before anything is taken from it.
func (g *gates) verify() Step {
	return Step{
		Name:    StepVerify,
		Section: During,
		Shows:   true,
		Goal:    "the application is well on the new version",
		Check: func(ctx context.Context, rec Record) (State, error) {
			if _, staged := rec.Target(); staged && !rec.leaving() {
				return State{Phase: Done, Note: "nothing is left to be taken away"}, nil // how it fares today is no matter of a rotation that is over
			}
			return g.check(ctx, rec, freshLook)
		},
		Plan: func(context.Context, Record) (lines []string, err error) {
			for _, one := range g.all {
				lines = append(lines, fmt.Sprintf("look at %s: %s", one.Name, one.Want))
			}
			return lines, nil
		},
		Skip: g.skips.skip,
	}
}

// check looks at all gates, those aside that were looked at less than fresh ago. What has leaked
// waits for none of them.
func (g *gates) check(ctx context.Context, rec Record, fresh time.Duration) (State, error) {
	g.look(ctx, rec, fresh)
	if ctx.Err() != nil {
		return State{}, context.Cause(ctx)
	}
	s := State{Phase: Done}
	passed, openEnd := 0, false
	for i, one := range g.all {
		item, until := g.judged(rec, one, &g.watches[i])
		s.worsen(item.Phase != Skipped, item.Phase)
		s.Items = append(s.Items, item)
		switch {
		case item.Phase == Done || item.Phase == Skipped:
			passed++
		case item.Phase == Waiting && until.IsZero():
			openEnd = true
		case until.After(s.Until):
			s.Until = until
		}
	}
	s.Note = fmt.Sprintf("%d of %d gates passed", passed, len(g.all))
	if s.Phase != Waiting || openEnd {
		s.Until = time.Time{}
	}
	if g.leaked && s.Phase != Done {
		s.Phase, s.Until, s.Note = Done, time.Time{}, s.Note+"; a value that has leaked waits for none"
	}
	return s, nil
}

// look looks at the gates that were not looked at lately, all at once: none waits for another one's
// answer.
func (g *gates) look(ctx context.Context, rec Record, fresh time.Duration) {
	if g.watches == nil {
		g.watches = make([]watch, len(g.all))
	}
	var all sync.WaitGroup
	for i, one := range g.all {
		w := &g.watches[i]
		if _, skipped := rec.Skipped[one.Name]; skipped || !w.looked.IsZero() && g.now().Sub(w.looked) < fresh {
			continue
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, lookLimit)
			defer cancel()
			item, err := one.Look(ctx, rec)
			if err != nil {
				item = Item{Phase: Waiting, Note: "not known: " + err.Error()}
			}
			w.saw(item, g.now())
		})
	}
	all.Wait()
}

// saw takes down one look. What could not be told is a break of what was good, and of what was bad.
func (w *watch) saw(item Item, now time.Time) {
	w.item, w.looked = item, now
	since := func(t *time.Time, is bool) {
		switch {
		case !is:
			*t = time.Time{}
		case t.IsZero():
			*t = now
		}
	}
	since(&w.good, item.Phase == Done)
	since(&w.bad, item.Phase == Failed)
}

// judged is what is to be made of a gate, given for how long it has been as it is; with the end of
// a wait that ends by itself.
func (g *gates) judged(rec Record, gate Gate, w *watch) (item Item, until time.Time) {
	item = w.item
	item.Name, item.MaySkip, item.Consent = gate.Name, true, ConsentUnknownGate
	if by, skipped := rec.Skipped[gate.Name]; skipped {
		return Item{Name: gate.Name, Phase: Skipped, Note: by.note(), MaySkip: true}, time.Time{}
	}
	now := g.now()
	switch {
	case item.Phase == Done && now.Before(w.good.Add(gate.Hold)):
		item.Phase, until = Waiting, w.good.Add(gate.Hold)
		item.Note += fmt.Sprintf("; to stay so for %v", gate.Hold)
	case item.Phase == Failed && now.Before(w.bad.Add(gate.Patience)):
		item.Phase, until = Waiting, w.bad.Add(gate.Patience)
	}
	return item, until
}

// during is a wait in which gates are looked at too: one that fails ends it, one that is not good
// makes it longer. What could not be proven was agreed to before.
func (g *gates) during(ctx context.Context, rec Record, s State) (State, error) {
	well, err := g.check(ctx, rec, settledLook)
	if err != nil {
		return State{}, err
	}
	s.Items = append(slices.Clone(s.Items), well.Items...)
	switch {
	case well.Phase == Failed:
		s.Phase, s.Note, s.Until = Failed, "the application is not well: "+well.Note, time.Time{}
	case well.Phase == Waiting && s.Phase == Done:
		s.Phase, s.Note, s.Until = Waiting, s.Note+"; "+well.Note, well.Until
	}
	return s, nil
}
