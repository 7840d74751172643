package wiring

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// Open puts a target together. Permissions are checked first, so that a missing one is named before
// anything is read or written. What an operator should know goes to say.
func Open(ctx context.Context, clients *kube.Clients, t config.Target, source config.Source, p Policy, say func(string, ...any)) (*Opened, error) {
	e := EngineOf(t.Kind)
	namespace := clients.NamespaceOr(t.Namespace)
	who, err := clients.WhoAmI(ctx)
	if err != nil {
		return nil, clients.Explain(err)
	}
	lacking, err := permitted(ctx, clients, namespace, p.Reads, func(s *Scope) map[string][]rbacv1.PolicyRule {
		rules := e.rulesIn(namespace, t, firstVia(p.Via), s)
		if p.Canary {
			rules[""] = append(rules[""], workload.CanaryRules()...)
		}
		return rules
	}, func() *Scope { return ScopeOf(ctx, clients, t, p.Via) })
	if err != nil {
		return nil, err
	}
	agreements := agreedTo(p.Accepted)
	in := opening{
		clients: clients, target: t, source: source, server: t.Server(), namespace: namespace, via: p.Via, say: say, only: p.Reads,
		terminate: p.Terminate, wait: p.Spare, agreed: agreements.has,
		reassign: agreements.has(acceptReassign), leaked: p.Compromised,
	}
	o, err := e.open(ctx, in)
	if err != nil {
		return nil, clients.Explain(err)
	}
	o.Operator, o.Say, o.Source, o.Lacking, o.Agreed = who, say, source, lacking, agreements
	p.apply(&o.Rotation, t)
	if err := o.gates(ctx, in); err != nil {
		o.Close()
		return nil, clients.Explain(err)
	}
	if p.Compromised {
		err = o.leaked(ctx, in, p)
	} else {
		o.before(in)
	}
	if err != nil {
		o.Close()
		return nil, err
	}
	if in.only { // no preflight need come to say it
		for _, text := range o.unlooked {
			o.Note(text)
		}
	}
	o.canary(in, p.Canary)
	o.Tellers = tellers(in)
	return o, nil
}
