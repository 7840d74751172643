package rotation

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// pods says which views templates and pods may hold, and moves workloads one pod at a time.
type pods struct {
	core
	skew    time.Duration
	reloads bool    // consumers read the Secret again by themselves: none is moved
	cut     *cutter // nil: none are ended at once
}

// bring moves w's template, or, where that is done and its controller sees nothing to do, ends one
// pod that does not fit: one at a time, and only while all others serve.
func (ps *pods) bring(ctx context.Context, w Workload, editions []Edition, fits func(View) bool) error {
	if ps.reloads {
		return nil
	}
	if ps.toMove(w, editions, fits) {
		return ps.move(ctx, w, ps.home(w, editions, fits))
	}
	if p, ok := ps.leftover(w, editions, fits); ok {
		return ps.replace(ctx, w, p)
	}
	return nil
}

// move and replace read the intent again right before: a run that slept since it looked would find
// the template as it was before somebody aborted, and take that for its own work to do.
func (ps *pods) move(ctx context.Context, w Workload, n int) error {
	if err := ps.fence(ctx); err != nil {
		return err
	}
	return ps.Consumers.Move(ctx, w, n)
}

func (ps *pods) replace(ctx context.Context, w Workload, p Pod) error {
	if err := ps.fence(ctx); err != nil {
		return err
	}
	return ps.Consumers.Replace(ctx, w, p)
}

// leftover is a pod of a settled workload that does not fit although its template does: its
// container started again in between, or it was made while the template was on its way.
func (ps *pods) leftover(w Workload, editions []Edition, fits func(View) bool) (Pod, bool) {
	if w.Fixed || !w.Settled || w.ready() < w.Desired {
		return Pod{}, false
	}
	for _, p := range w.Pods {
		if !p.Terminating && !p.Unreachable && !allFit(MayHold(p, editions, ps.skew), fits) {
			return p, true
		}
	}
	return Pod{}, false
}

// progress is how far the workloads have come: the template of each first, then its pods.
func (ps *pods) progress(fits func(View) bool, workloads []Workload, editions []Edition) State {
	s := State{Phase: Done}
	if ps.reloads {
		return s // what they were handed at their start says nothing
	}
	all, moved := 0, 0
	for _, w := range workloads {
		template, old := ps.toMove(w, editions, fits), false
		_, left := ps.leftover(w, editions, fits)
		s.worsen(template || left, ToDo)
		for _, p := range w.Pods {
			all++
			item := ps.podItem(p, editions, fits)
			item.Of = w.Name
			if item.Phase != ToDo && item.Phase != Doubtful {
				moved++
			}
			s.worsen(item.Phase == ToDo, Waiting)
			s.worsen(ps.cut.toCut(w, p, editions, fits), ToDo)
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
	s.Note = fmt.Sprintf("%d of %d pods on %v", moved, all, ps.intent.To)
	return s
}

// onlyEnding says whether every pod that does not fit is on its way out, and none like it can come.
func (ps *pods) onlyEnding(fits func(View) bool, workloads []Workload, editions []Edition) bool {
	for _, w := range workloads {
		if ps.toMove(w, editions, fits) || slices.ContainsFunc(w.Pods, func(p Pod) bool {
			return !p.Terminating && !allFit(MayHold(p, editions, ps.skew), fits)
		}) {
			return false
		}
	}
	return true
}

// podItem is the line of one pod.
func (ps *pods) podItem(p Pod, editions []Edition, fits func(View) bool) Item {
	item := Item{Name: "pod/" + p.Name, Phase: Done, Note: "ready"}
	switch {
	case p.Unreachable:
		item.Phase, item.Note, item.Consent = Doubtful, "its node does not report; its sessions are ended at revoke", ConsentNodes
	case !allFit(MayHold(p, editions, ps.skew), fits) && p.Terminating:
		item.Phase, item.Note = ToDo, "old, terminating"
	case !allFit(MayHold(p, editions, ps.skew), fits):
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
func (ps *pods) toMove(w Workload, editions []Edition, fits func(View) bool) bool {
	return !w.Fixed && !allFit(WillHold(w, editions, ps.skew), fits)
}

// home is the label to give the template of w: that of its healthy pods which fit already, so that
// a rollout cut short goes back to them and makes no new ones; else that of the newest edition.
func (ps *pods) home(w Workload, editions []Edition, fits func(View) bool) int {
	count := map[int]int{}
	best := latest(editions)
	for _, p := range w.Pods {
		if p.Ready && !p.Terminating && allFit(MayHold(p, editions, ps.skew), fits) && ps.labelFits(w, p.Edition, editions, fits) {
			count[p.Edition]++
			if count[p.Edition] > count[best] {
				best = p.Edition
			}
		}
	}
	return best
}

// labelFits says whether w's template would be done with label n.
func (ps *pods) labelFits(w Workload, n int, editions []Edition, fits func(View) bool) bool {
	w.Edition = n
	return !ps.toMove(w, editions, fits)
}

// plan says what bring does about w, for people.
func (ps *pods) plan(w Workload) string {
	switch {
	case ps.reloads:
		return fmt.Sprintf("wait for %s to read the Secret again: %d pods", w.Name, w.Desired)
	case w.Fixed:
		return "restart by hand: " + w.Name
	}
	return fmt.Sprintf("roll %s: %d pods", w.Name, w.Desired)
}
