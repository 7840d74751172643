package workload

import (
	"context"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Across are the consumers of one target in several namespaces, each namespace once. Those of the first are named as it
// names them, those of another after it: "reports/deployment/backend". It implements [rotation.Consumers].
type Across []*Consumers

var _ rotation.Consumers = Across(nil)

// Workloads lists the consumers of all namespaces.
func (a Across) Workloads(ctx context.Context) (all []rotation.Workload, err error) {
	for i, c := range a {
		found, err := c.Workloads(ctx)
		if err != nil {
			return nil, err
		}
		for _, w := range found {
			w.Name = a.prefix(i) + w.Name
			all = append(all, w)
		}
	}
	return all, nil
}

// Move is [Consumers.Move] in w's namespace.
func (a Across) Move(ctx context.Context, w rotation.Workload, n int) error {
	c, w := a.of(w)
	return c.Move(ctx, w, n)
}

// Replace is [Consumers.Replace] in w's namespace.
func (a Across) Replace(ctx context.Context, w rotation.Workload, p rotation.Pod) error {
	c, w := a.of(w)
	return c.Replace(ctx, w, p)
}

// Cut is [Consumers.Cut] in w's namespace.
func (a Across) Cut(ctx context.Context, w rotation.Workload, pods []rotation.Pod) error {
	c, _ := a.of(w)
	return c.Cut(ctx, pods)
}

// Exits is [Consumers.Exits] in all namespaces.
func (a Across) Exits(ctx context.Context) func() []rotation.Exit {
	var each []func() []rotation.Exit
	for _, c := range a {
		each = append(each, c.Exits(ctx))
	}
	return func() (all []rotation.Exit) {
		for _, exits := range each {
			all = append(all, exits()...)
		}
		return all
	}
}

// Preflight is [Consumers.Preflight] in all namespaces.
func (a Across) Preflight(ctx context.Context) (notes []string, asks []rotation.Item, err error) {
	for i, c := range a {
		more, items, err := c.Preflight(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, item := range items {
			item.Name = a.prefix(i) + item.Name
			asks = append(asks, item)
		}
		for _, note := range more {
			notes = append(notes, a.prefix(i)+note)
		}
	}
	return notes, asks, nil
}

// Changes is [Consumers.Changes] in all namespaces.
func (a Across) Changes(ctx context.Context) <-chan struct{} {
	if len(a) == 1 {
		return a[0].Changes(ctx)
	}
	changed := make(chan struct{}, 1)
	for _, c := range a {
		go func(one <-chan struct{}) {
			for {
				select {
				case <-ctx.Done():
					return
				case <-one:
				}
				select {
				case changed <- struct{}{}:
				default: // there is one that nobody has taken yet
				}
			}
		}(c.Changes(ctx))
	}
	return changed
}

// PodAt is [Consumers.PodAt] in the first of the namespaces that knows one.
func (a Across) PodAt(ctx context.Context, address string) string {
	for i, c := range a {
		if name := c.PodAt(ctx, address); name != "" {
			return a.prefix(i) + name
		}
	}
	return ""
}

// Runs is [Consumers.Runs] in all namespaces.
func (a Across) Runs(ctx context.Context) (all []Run, err error) {
	for i, c := range a {
		runs, err := c.Runs(ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range runs {
			r.Name = a.prefix(i) + r.Name
			all = append(all, r)
		}
	}
	return all, nil
}

func (a Across) prefix(i int) string {
	if i == 0 {
		return ""
	}
	return a[i].Namespace + "/"
}

// of is where w is, and its name there.
func (a Across) of(w rotation.Workload) (*Consumers, rotation.Workload) {
	for i, c := range a[1:] {
		if name, ok := strings.CutPrefix(w.Name, a.prefix(i+1)); ok {
			w.Name = name
			return c, w
		}
	}
	return a[0], w
}
