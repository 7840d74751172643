package rotation

import (
	"context"
	"fmt"
	"slices"
)

// rollout has every consumer hold the target as the active version, and nothing else.
func (o *overlap) rollout() Step {
	return o.withoutCanaries(o.everywhere(spread{
		name: StepRollout, goal: "every pod runs on the new version", section: During, stragglers: true,
		reached: func(rec Record) bool { return rec.Active() == o.intent.To },
		fits:    func(v View) bool { return v.Active == o.intent.To },
		want:    o.signs, ending: o.glimpse,
	}))
}

// spread is a step that is done when every template and every live pod, the terminating ones too, may only hold views
// that fit. Whether the pods are well is the guard's matter: that can change at any time, a step that is done cannot.
type spread struct {
	name, goal string
	section    Section
	reached    func(Record) bool
	stragglers bool
	fits       func(View) bool
	// want is what each pod is asked beside that, where it can be asked; nil: nothing.
	want func(rec Record, target Credential) Wanted
	// ending is called while pods are waited for, and told whether those that do not fit are all on their way out; nil: nothing is.
	ending func(ctx context.Context, rec Record, only bool)
	// settles is true where nothing is taken from anybody after it: pods that can't be asked are no question.
	settles bool
}

// signs is what pods are to do once the target is the active version. An answer to a leak is not held up by it: what counts
// then is looked at once the old version is refused.
func (o *overlap) signs(_ Record, target Credential) Wanted {
	if o.intent.Compromised {
		return Wanted{}
	}
	return Wanted{Accept: []Credential{target}, Sign: &target}
}

// everywhere is the step of a spread.
func (o *overlap) everywhere(a spread) Step {
	return Step{
		Name:       a.name,
		Goal:       a.goal,
		Section:    a.section,
		Reached:    a.reached,
		Stragglers: a.stragglers,
		Watched:    true,
		Check: func(ctx context.Context, rec Record) (State, error) {
			workloads, err := o.Consumers.Workloads(ctx)
			if err != nil {
				return State{}, err
			}
			s := o.progress(a, workloads, rec.Editions)
			if a.ending != nil && s.Phase != Done {
				a.ending(ctx, rec, o.onlyEnding(a, workloads, rec.Editions))
			}
			return o.probed(ctx, a, rec, workloads, s)
		},
		Apply: func(ctx context.Context, rec Record) error {
			workloads, err := o.Consumers.Workloads(ctx)
			if err != nil {
				return err
			}
			for _, w := range workloads {
				if err := o.bring(ctx, w, rec.Editions, a.fits); err != nil {
					return fmt.Errorf("moving %s: %w", w.Name, err)
				}
				if err := o.cutOff(ctx, w, rec.Editions, a.fits); err != nil {
					return err
				}
			}
			return o.replaceWrong(ctx, a, rec, workloads)
		},
		Plan: func(ctx context.Context, _ Record) (lines []string, err error) {
			workloads, err := o.Consumers.Workloads(ctx)
			for _, w := range workloads {
				lines = append(lines, o.rolling(w))
			}
			return lines, err
		},
	}
}

// rolling says what a spread does about w, for people.
func (o *overlap) rolling(w Workload) string {
	switch {
	case o.reloads():
		return fmt.Sprintf("wait for %s to read the Secret again: %d pods", w.Name, w.Desired)
	case w.Fixed:
		return "restart by hand: " + w.Name
	}
	return fmt.Sprintf("roll %s: %d pods", w.Name, w.Desired)
}

// bring moves w's template, or, where that is done and its controller sees nothing to do, ends one pod that does
// not fit: one at a time, and only while all others serve.
func (o *overlap) bring(ctx context.Context, w Workload, editions []Edition, fits func(View) bool) error {
	if o.reloads() {
		return nil
	}
	if o.toMove(w, editions, fits) {
		return o.move(ctx, w, o.home(w, editions, fits))
	}
	if p, ok := o.leftover(w, editions, fits); ok {
		return o.replace(ctx, w, p)
	}
	return nil
}

// move and replace read the intent again right before: a run that slept since it looked would find the template as
// it was before somebody aborted, and take that for its own work to do.
func (o *overlap) move(ctx context.Context, w Workload, n int) error {
	if err := o.fence(ctx); err != nil {
		return err
	}
	return o.Consumers.Move(ctx, w, n)
}

func (o *overlap) replace(ctx context.Context, w Workload, p Pod) error {
	if err := o.fence(ctx); err != nil {
		return err
	}
	return o.Consumers.Replace(ctx, w, p)
}

// leftover is a pod of a settled workload that does not fit although its template does: its container
// started again in between, or it was made while the template was on its way.
func (o *overlap) leftover(w Workload, editions []Edition, fits func(View) bool) (Pod, bool) {
	if w.Fixed || !w.Settled || w.ready() < w.Desired {
		return Pod{}, false
	}
	for _, p := range w.Pods {
		if !p.Terminating && !p.Unreachable && !allFit(MayHold(p, editions, o.Skew), fits) {
			return p, true
		}
	}
	return Pod{}, false
}

// progress is how far the workloads have come: the template of each first, then its pods.
func (o *overlap) progress(a spread, workloads []Workload, editions []Edition) State {
	s := State{Phase: Done}
	if o.reloads() {
		return s // what they were handed at their start says nothing
	}
	pods, moved := 0, 0
	for _, w := range workloads {
		template, old := o.toMove(w, editions, a.fits), false
		_, left := o.leftover(w, editions, a.fits)
		s.worsen(template || left, ToDo)
		for _, p := range w.Pods {
			pods++
			item := o.podItem(p, editions, a.fits)
			item.Of = w.Name
			if item.Phase != ToDo && item.Phase != Doubtful {
				moved++
			}
			s.worsen(item.Phase == ToDo, Waiting)
			s.worsen(o.toCut(w, p, editions, a.fits), ToDo)
			s.Items = append(s.Items, item)
			old = old || item.Phase == ToDo
		}
		if w.Held != "" && old {
			s.Items = append(s.Items, Item{Name: w.Name, Phase: Waiting, Note: w.Held})
		}
		if w.Failed != "" && !template {
			s.worsen(s.Phase != Done, Failed)
			s.Items = append(s.Items, Item{Name: w.Name, Phase: Failed, Note: w.Failed})
		}
	}
	s.Note = fmt.Sprintf("%d of %d pods on %v", moved, pods, o.intent.To)
	return s
}

// onlyEnding says whether every pod that does not fit is on its way out, and none like it can come.
func (o *overlap) onlyEnding(a spread, workloads []Workload, editions []Edition) bool {
	for _, w := range workloads {
		if o.toMove(w, editions, a.fits) || slices.ContainsFunc(w.Pods, func(p Pod) bool {
			return !p.Terminating && !allFit(MayHold(p, editions, o.Skew), a.fits)
		}) {
			return false
		}
	}
	return true
}

// worsen takes the later of two phases, in the order in which they keep a step from being done.
func (s *State) worsen(really bool, to Phase) {
	order := []Phase{Done, Doubtful, Waiting, Failed, ToDo}
	if really && slices.Index(order, to) > slices.Index(order, s.Phase) {
		s.Phase = to
	}
}

// podItem is the line of one pod.
func (o *overlap) podItem(p Pod, editions []Edition, fits func(View) bool) Item {
	item := Item{Name: "pod/" + p.Name, Phase: Done, Note: "ready"}
	switch {
	case p.Unreachable:
		item.Phase, item.Note, item.Consent = Doubtful, "its node does not report; its sessions are ended at revoke", ConsentNodes
	case !allFit(MayHold(p, editions, o.Skew), fits) && p.Terminating:
		item.Phase, item.Note = ToDo, "old, terminating"
	case !allFit(MayHold(p, editions, o.Skew), fits):
		item.Phase, item.Note = ToDo, "old"
	case p.Problem != "":
		item.Phase, item.Note = Failed, p.Problem
	case p.Terminating:
		item.Note = "terminating"
	case !p.Ready:
		item.Phase, item.Note = Waiting, "starting"
	}
	return item
}

// toMove says whether new pods of w may hold a view that does not fit.
func (o *overlap) toMove(w Workload, editions []Edition, fits func(View) bool) bool {
	return !w.Fixed && !allFit(WillHold(w, editions, o.Skew), fits)
}

// home is the label to give the template of w: that of its healthy pods which fit already, so that a
// rollout cut short goes back to them and makes no new ones; else that of the newest edition.
func (o *overlap) home(w Workload, editions []Edition, fits func(View) bool) int {
	count := map[int]int{}
	best := latest(editions)
	for _, p := range w.Pods {
		if p.Ready && !p.Terminating && allFit(MayHold(p, editions, o.Skew), fits) && o.labelFits(w, p.Edition, editions, fits) {
			count[p.Edition]++
			if count[p.Edition] > count[best] {
				best = p.Edition
			}
		}
	}
	return best
}

// labelFits says whether w's template would be done with label n.
func (o *overlap) labelFits(w Workload, n int, editions []Edition, fits func(View) bool) bool {
	w.Edition = n
	return !o.toMove(w, editions, fits)
}

// allFit is true of at least one view and of all of them: no views is "could not tell".
func allFit(views []View, fits func(View) bool) bool {
	return len(views) > 0 && !slices.ContainsFunc(views, func(v View) bool { return !fits(v) })
}

// problems are the pods of w that are not ready, with their reasons.
func problems(w Workload) (items []Item) {
	for _, p := range w.Pods {
		if p.Problem != "" {
			items = append(items, Item{Name: "pod/" + p.Name, Phase: Failed, Note: p.Problem})
		}
	}
	return items
}
