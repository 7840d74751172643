package cli

import (
	"context"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/lease"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// alone makes a run while it holds the target's Lease. What would end before it begins takes none.
func (g *global) alone(ctx context.Context, o *wiring.Opened, want rotation.Want, wait bool) (rotation.Result, error) {
	if _, err := o.Decide(ctx, want); err != nil {
		return rotation.Result{}, err
	}
	held, err := leaseOf(o, want, wait).Take(ctx)
	if err != nil {
		return rotation.Result{}, err
	}
	defer held.Release(ctx)
	if o.Began != nil {
		o.Began()
	}
	return o.Run(ctx, want)
}

// leaseOf is where the operators of o find each other.
func leaseOf(o *wiring.Opened, want rotation.Want, wait bool) *lease.Lease {
	l := &lease.Lease{
		Leases: o.Clients.Kube.CoordinationV1(), Namespace: o.Namespace, Secret: o.Config.Secret.Name, Target: o.Target,
		Me: lease.Me(o.Operator), Doing: lease.Rotating, Wait: wait, Now: o.Clients.Now, Say: o.Say,
	}
	switch {
	case want.Compromised:
		l.Doing = lease.Replacing
	case want.Back:
		l.Doing = lease.Aborting
	}
	return l
}
