package wiring

import (
	"context"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// Policy is what an operator wants of a run, and what the run may do.
type Policy struct {
	Via      kube.Via
	Reads    bool     // nothing is changed: a dry run, or status. No credential goes to anything but the server
	Accepted []string // the kinds of questions that are agreed to beforehand
	Canary   bool     // one more pod tries the new version first

	Soak    *time.Duration // nil: that of the target
	Timeout time.Duration  // how long a step may wait
	Now     bool           // no step waits: what can be done now is done

	Terminate bool // sessions of the old version are ended when it is revoked
	Spare     bool // they may not be ended, even where the value has leaked

	Compromised bool      // the value in use has leaked
	Cut         bool      // all pods that may hold it are ended at once
	Flush       bool      // the database that its sessions are in is emptied
	Asked       time.Time // when the run was asked for, by the local clock; zero: now
}

// apply sets what the policy and the target say about a run.
func (p Policy) apply(r *rotation.Rotation, t config.Target) {
	r.Soak, r.Terminate, r.Timeout = t.Soak.Duration, p.Terminate, p.Timeout
	if p.Soak != nil {
		r.Soak = *p.Soak
	}
	if p.Now {
		r.Timeout = 0
	}
}

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

// UsageError is a policy or a configuration that cannot be meant.
type UsageError struct{ error }

func (e UsageError) Unwrap() error { return e.error }
