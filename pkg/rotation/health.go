package rotation

import (
	"context"
	"fmt"
)

// ready holds activate up while a consumer is not well for reasons of its own: a rotation into a
// rollout that is stuck would be taken for its cause. The way back is never held up by this, unless
// consumers have to learn again what was taken from them: then one that is still made may come up
// with what it was taken from.
func (c core) ready(known func([]Edition) bool) func(context.Context, Record) (State, error) {
	return func(ctx context.Context, rec Record) (State, error) {
		if c.intent.Back && known(rec.Editions) {
			return State{Phase: Done}, nil
		}
		return c.healthy(ctx, rec)
	}
}

// healthy holds a step up until every rollout is through and every pod is ready: what is still on
// its way may yet come up with something older. A compromised value waits for nobody.
func (c core) healthy(ctx context.Context, _ Record) (State, error) {
	if c.intent.Compromised {
		return State{Phase: Done}, nil
	}
	workloads, err := c.Consumers.Workloads(ctx)
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

// problems are the pods of w that are not ready, with their reasons.
func problems(w Workload) (items []Item) {
	for _, p := range w.Pods {
		if p.Problem != "" {
			items = append(items, Item{Name: "pod/" + p.Name, Phase: Failed, Note: p.Problem})
		}
	}
	return items
}
