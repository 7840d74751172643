package cli

import (
	"context"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/lease"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// alone makes a run while it holds the target's Lease. What would end before it begins takes none.
func (g *global) alone(ctx context.Context, o *opened, want rotation.Want, wait bool) (rotation.Result, error) {
	if _, err := o.Decide(ctx, want); err != nil {
		return rotation.Result{}, err
	}
	held, err := leaseOf(o, want, wait).Take(ctx)
	if err != nil {
		return rotation.Result{}, err
	}
	defer held.Release(ctx)
	if o.began != nil {
		o.began()
	}
	return o.Run(ctx, want)
}

// leaseOf is where the operators of o find each other.
func leaseOf(o *opened, want rotation.Want, wait bool) *lease.Lease {
	l := &lease.Lease{
		Leases: o.clients.Kube.CoordinationV1(), Namespace: o.namespace, Secret: o.target.Secret.Name, Target: o.Target,
		Me: lease.Me(o.who), Doing: lease.Rotating, Wait: wait, Now: o.clients.Now, Say: o.say,
	}
	switch {
	case want.Compromised:
		l.Doing = lease.Replacing
	case want.Back:
		l.Doing = lease.Aborting
	}
	return l
}
