package wiring

import (
	"context"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/kubesecret"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// canary is how one pod tries the new version before all others, among the consumers in the target's own namespace. What
// an earlier run left is found and removed, whether one is asked for or not.
func (o *Opened) canary(in opening, asked bool) {
	consumers, isWorkload := o.Consumers.(workload.Across)
	store, isSecret := o.Store.(*kubesecret.Store)
	if !isWorkload || !isSecret {
		return
	}
	c := &workload.Canary{
		Consumers: consumers[0], ServerNamespace: serverNamespace(in),
		Rendered: func(ctx context.Context, rec rotation.Record) (map[string]map[string][]byte, error) {
			to := rec.Intent.To
			return store.Rendered(ctx, rec, rotation.View{Active: to, Accept: []rotation.Version{to}}, consumers[0].Namespace)
		},
	}
	o.Canary, o.TryFirst = c, asked
	if !asked {
		return
	}
	o.Preflight = append(o.Preflight, func(ctx context.Context, rec rotation.Record) ([]rotation.Item, error) {
		var plan []string
		look := o.asked(func(ctx context.Context) (notes []string, asks []rotation.Item, err error) {
			plan, notes, asks, err = c.Preflight(ctx)
			return notes, asks, err
		})
		items, err := look(ctx, rec)
		if len(items) == 0 {
			items = []rotation.Item{{Name: "canary", Phase: rotation.Done, Note: strings.Join(plan, "; ")}}
		}
		return items, err
	})
}
