package rotation

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// activate makes the target the version that the application's Secret says to use.
func (o *overlap) activate() Step {
	guard := o.ready
	if o.gap() != "" {
		guard = nil // install has looked
	}
	return Step{
		Name:     StepActivate,
		Section:  During,
		Recorded: true,
		Goal:     "the application's Secret holds the new version",
		Check:    o.isActive,
		Guard:    guard,
		Apply: func(ctx context.Context, rec Record) error {
			err := o.Store.Publish(ctx, rec.Revision, o.activeView(rec))
			if err == nil {
				o.madeActive = o.Now()
			}
			return err
		},
		Plan: func(ctx context.Context, rec Record) ([]string, error) {
			return o.Store.Plan(ctx, rec, o.activeView(rec))
		},
		Resurvey: o.intent.Back, // others may still be at work on the way there, and undo what was seen
	}
}

// activeView is the target as the active version, with all others still accepted unless they have leaked.
func (o *overlap) activeView(rec Record) View {
	if o.intent.Compromised {
		return only(o.intent.To)
	}
	if _, told := o.System.(Server); told {
		return only(o.intent.To)
	}
	v := rec.Latest().View.with(o.intent.To)
	v.Active = o.intent.To
	return v
}

func (o *overlap) isActive(_ context.Context, rec Record) (State, error) {
	active := rec.Active()
	switch {
	case rec.Edited:
		return State{Phase: Stale, Note: fmt.Sprintf(
			"somebody else has changed the application's Secret since edition %d made %v active%s", rec.Latest().N, active, rec.editor())}, nil
	case active != o.intent.To:
		return rec.unpublished(fmt.Sprintf("%v is active", active)), nil
	case len(rec.Behind) > 0:
		return State{Phase: ToDo, Note: fmt.Sprintf("%v is active, and not yet in %s", active, strings.Join(rec.Behind, ", "))}, nil
	}
	return State{Phase: Done, Note: fmt.Sprintf("%v is active since edition %d", active, rec.Latest().N)}, nil
}

// editor is what is known of an edit, after a colon.
func (r Record) editor() string {
	if r.Editor == "" {
		return ""
	}
	return ": " + r.Editor
}

// ready holds activate up while a consumer is not well for reasons of its own: a rotation into a rollout that is
// stuck would be taken for its cause. The way back is never held up by this, unless consumers have to learn again what was taken
// from them: then one that is still made may come up with what it was taken from.
func (o *overlap) ready(ctx context.Context, rec Record) (State, error) {
	if o.intent.Back && o.stillKnown(rec.Editions) {
		return State{Phase: Done}, nil
	}
	return o.healthy(ctx, rec)
}

// stillKnown says whether the target was accepted in all editions since it was active.
func (o *overlap) stillKnown(editions []Edition) bool {
	if _, told := o.System.(Server); told {
		return true // whoever holds an edition says nothing of what the server accepts
	}
	for _, e := range slices.Backward(editions) {
		switch {
		case e.View.Active == o.intent.To:
			return true
		case !e.View.Accepts(o.intent.To):
			return false
		}
	}
	return true
}

// healthy holds a step up until every rollout is through and every pod is ready: what is still on its way
// may yet come up with something older. A compromised value waits for nobody.
func (o *overlap) healthy(ctx context.Context, _ Record) (State, error) {
	if o.intent.Compromised {
		return State{Phase: Done}, nil
	}
	workloads, err := o.Consumers.Workloads(ctx)
	if err != nil {
		return State{}, err
	}
	for _, w := range workloads {
		if s, well := w.health(); !well {
			return s, nil
		}
	}
	return State{Phase: Done, Note: "all consumers are ready"}, nil
}

// health is whether w is settled with all its pods ready, and what keeps it from that.
func (w Workload) health() (s State, well bool) {
	switch {
	case w.Failed != "":
		return State{Phase: Failed, Note: w.Name + ": " + w.Failed, Items: problems(w)}, false
	case !w.Settled || w.ready() < w.Desired:
		return State{Phase: Waiting, Note: fmt.Sprintf("%s is not settled: %d of %d pods ready", w.Name, w.ready(), w.Desired), Items: problems(w)}, false
	}
	return State{}, true
}
