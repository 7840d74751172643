package rotation

import (
	"context"
	"fmt"
)

// spread is a step that is done when every template and every live pod, the terminating ones too,
// may only hold views that fit. Whether the pods are well is the guard's matter: that can change at
// any time, a step that is done cannot.
type spread struct {
	name, goal string
	section    Section
	reached    func(Record) bool
	stragglers bool

	pods *pods
	fits func(View) bool
	asks *inquiry // what each pod is asked beside that; nil: nothing
	// ending is called while pods are waited for, and told whether those that do not fit are all on
	// their way out; nil: nothing is.
	ending   func(ctx context.Context, rec Record, only bool)
	canaries *canaries // none remains once it is done; nil: there are none
	anew     *anew     // restarts a wait where the step is not done any more; nil: nothing waits
	exposure *exposure // what is reported of an emergency once it is done; nil: nothing
	unsaid   bool      // a plan leaves it out: an earlier step moves the pods
}

func (a spread) step() Step {
	step := Step{
		Name:       a.name,
		Goal:       a.goal,
		Section:    a.section,
		Reached:    a.reached,
		Stragglers: a.stragglers,
		Watched:    true,
		Check:      a.check,
		Apply:      a.apply,
		Plan: func(ctx context.Context, _ Record) (lines []string, err error) {
			workloads, err := a.pods.Consumers.Workloads(ctx)
			for _, w := range workloads {
				lines = append(lines, a.pods.plan(w))
			}
			return lines, err
		},
	}
	if a.unsaid {
		step.Plan = nil
	}
	return step
}

func (a spread) check(ctx context.Context, rec Record) (State, error) {
	workloads, err := a.pods.Consumers.Workloads(ctx)
	if err != nil {
		return State{}, err
	}
	s := a.pods.progress(a.fits, workloads, rec.Editions)
	if a.ending != nil && s.Phase != Done {
		a.ending(ctx, rec, a.pods.onlyEnding(a.fits, workloads, rec.Editions))
	}
	if s, err = a.asks.check(ctx, rec, workloads, s); err != nil {
		return s, err
	}
	if s, err = a.canaries.left(ctx, s); err != nil {
		return s, err
	}
	s.worsen(a.anew.due(rec, s), ToDo)
	return a.exposure.tell(rec, s), nil
}

// apply moves each workload a little further. Before that it records that a wait starts again,
// where one does.
func (a spread) apply(ctx context.Context, rec Record) error {
	if a.anew.marked(rec) {
		return a.anew.forget(ctx, rec)
	}
	if err := a.canaries.endAll(ctx); err != nil {
		return err
	}
	workloads, err := a.pods.Consumers.Workloads(ctx)
	if err != nil {
		return err
	}
	for _, w := range workloads {
		if err := a.pods.bring(ctx, w, rec.Editions, a.fits); err != nil {
			return fmt.Errorf("moving %s: %w", w.Name, err)
		}
		if err := a.pods.cut.cutOff(ctx, w, rec.Editions, a.fits); err != nil {
			return err
		}
	}
	if a.asks == nil || a.pods.progress(a.fits, workloads, rec.Editions).Phase != Done {
		return nil
	}
	return a.asks.replaceWrong(ctx, rec, workloads)
}
