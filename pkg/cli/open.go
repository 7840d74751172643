package cli

import (
	"context"
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// open finds the target of a request and puts it together. Permissions are looked at first, so that a missing
// one is named before anything is read or written.
func (g *global) open(ctx context.Context, q request) (*wiring.Opened, error) {
	clients, err := g.connect()
	if err != nil {
		return nil, err
	}
	found, source, err := g.targets(ctx, clients)
	if err != nil {
		return nil, err
	}
	t, err := target(found, q.kind, q.args)
	if err != nil {
		return nil, err
	}
	protected := found.ProtectedBy(clients.Context) != ""
	q.canary = q.canary || protected && !q.canarySet && !q.back && !q.compromised
	if q.canary && t.Kind == config.KindJWT { // its list has none
		g.sayNoCanary(q.canarySet)
		q.canary = false
	}
	o, err := g.openTarget(ctx, clients, t, source, q.policy())
	if err == nil && protected {
		o.Protected = clients.Context
	}
	return o, err
}

// sayNoCanary tells who has asked for a canary of signing keys why there is none.
func (g *global) sayNoCanary(asked bool) {
	if asked {
		g.say("note: no canary: every pod knows the new key, and is asked about it where there is a probe, before any pod signs with it")
	}
}

// openTarget opens a target, whose operator is at the terminal.
func (g *global) openTarget(ctx context.Context, clients *kube.Clients, t config.Target, source config.Source, p wiring.Policy) (*wiring.Opened, error) {
	o, err := wiring.Open(ctx, clients, t, source, p, g.say)
	if err == nil {
		o.File = g.config
	}
	return o, err
}

// header says where this run takes place: context, server, namespace and user; and where its configuration comes from.
func (g *global) header(o *wiring.Opened) string {
	return fmt.Sprintf("%s in namespace %s; context %s, %s, as %s; configuration: %s",
		o.Target, o.Namespace, o.Clients.Context, o.Clients.Server, o.Operator, o.Source.Told())
}
