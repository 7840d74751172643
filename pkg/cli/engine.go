package cli

import (
	"context"
	"slices"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/discover"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/gate"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// engine is one kind of target: its command, and how its parts are put together.
type engine struct {
	kind    config.Kind
	short   string
	long    string
	example string
	// emergency is the help of a command of its own for a value that has leaked; "" is none beside --compromised.
	emergency string
	// open puts the parts of a target together.
	open func(context.Context, opening) (*opened, error)
	// outline is the checklist of an intent with nothing behind it: its names and their order.
	outline func(rotation.Intent) []rotation.Step
	// store is the target's record alone.
	store func(opening) rotation.Store
	// rules are the permissions that a run needs, by namespace; "" is the target's own. A scope limits them to names.
	rules func(config.Target, kube.Via, *scope) map[string][]rbacv1.PolicyRule
	// discover is how its servers and Secrets are found; nil where it has none.
	discover *discover.Kind
	// admin is the Secret of the runbook that holds the administrator's password.
	admin string
	// helpful are permissions that a run does without, and tells more with.
	helpful []rbacv1.PolicyRule
}

// sourced is a target and where its configuration comes from.
type sourced struct {
	config.Target
	config.Source
}

// rulesIn are the rules of a target that is in that namespace, whether it says so or the kubeconfig does.
func (e engine) rulesIn(namespace string, t config.Target, via kube.Via, s *scope) map[string][]rbacv1.PolicyRule {
	t.Namespace = namespace
	return e.rules(t, via, s)
}

// opening is what an engine is given to open a target.
type opening struct {
	clients   *kube.Clients
	target    config.Target
	source    config.Source // of the target
	server    config.Server // of the target
	namespace string        // of the target
	via       kube.Via
	wait      bool                             // sessions of the old version may not be ended, by a flag
	agreed    func(kind string) bool           // the operator has agreed to questions of a kind
	terminate bool                             // sessions of the old version may be ended
	reassign  bool                             // what a login has come to own may be given to its owner
	leaked    bool                             // the value in use has
	only      bool                             // nothing is changed: a dry run, or status. No credential goes to anything but the server
	say       func(format string, args ...any) // a line for the operator
}

// opened is a target that can be rotated.
type opened struct {
	rotation.Rotation
	clients   *kube.Clients
	target    config.Target
	namespace string
	source    config.Source // of the target
	file      string        // the targets file; "" where none was named
	who       string
	leftovers func(context.Context, rotation.Record) ([]string, error)                            // who else can come in; nil: no such thing
	refused   func(context.Context, time.Time, []rotation.Credential) ([]rotation.Refusal, error) // whom the server has refused; nil: not known
	inUse     gate.InUse                                                                          // who uses a login, whichever password it has; nil: not known
	unlooked  []string                                                                            // what is not looked at, since a permission is missing that is only helpful
	lacking   []kube.Permission                                                                   // what a run takes and this look does not: it only reads
	tellers   []teller                                                                            // who is told of what becomes of a run
	protected string                                                                              // the context's name, where it has to be typed before anything begins; "" where it has not
	urgent    []look                                                                              // what is looked at before where a value has leaked; nil: what always is
	sessions  *sessions                                                                           // what was opened with the value, and is ended where that has leaked; nil: nothing
	agreed    *agreements                                                                         // what the operator has agreed to in this run
	began     func()                                                                              // called when a run has the target to itself; may be nil
	noting    sync.Mutex
	said      map[string]bool
	say       func(format string, args ...any)
	closers   []func()
}

// note tells the operator something that is worth knowing, once.
func (o *opened) note(text string) {
	o.noting.Lock()
	defer o.noting.Unlock()
	if o.said[text] {
		return
	}
	if o.said == nil {
		o.said = map[string]bool{}
	}
	o.said[text] = true
	o.say("note: %s", text)
}

// onClose has f called when the target is closed, the last one first.
func (o *opened) onClose(f func()) { o.closers = append(o.closers, f) }

func (o *opened) close() {
	for i := len(o.closers) - 1; i >= 0; i-- {
		o.closers[i]()
	}
}

// engines are all there are. Adding one is a line here and a file beside this one.
func engines() []engine {
	return []engine{postgresEngine(), redisEngine(), jwtEngine()}
}

// stepsOf are the names of all steps that a target of a kind may have, in their order; "" is any
// kind.
func stepsOf(kind config.Kind) []string {
	var lists [][]rotation.Step
	for _, e := range engines() {
		if kind == "" || kind == e.kind {
			lists = append(lists, e.outline(rotation.Intent{}), e.outline(rotation.Intent{Compromised: true}))
		}
	}
	return rotation.Names(lists...)
}

// engineOf gives the engine of a kind; every kind that a valid configuration can name has one.
func engineOf(kind config.Kind) engine {
	for _, e := range engines() {
		if e.kind == kind {
			return e
		}
	}
	panic("no engine for targets of kind " + string(kind))
}

// open finds the target of a request and puts it together. Permissions are looked at first, so that a missing
// one is named before anything is read or written.
func (g *global) open(ctx context.Context, q request) (*opened, error) {
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
	o, err := g.openTarget(ctx, clients, sourced{t, source}, q.runFlags)
	if err == nil && protected {
		o.protected = clients.Context
	}
	return o, err
}

func (g *global) openTarget(ctx context.Context, clients *kube.Clients, one sourced, f runFlags) (*opened, error) {
	t := one.Target
	e := engineOf(t.Kind)
	namespace := namespaceOf(clients, t)
	who, err := clients.WhoAmI(ctx)
	if err != nil {
		return nil, clients.Explain(err)
	}
	lacking, err := permitted(ctx, clients, namespace, f.dryRun, func(s *scope) map[string][]rbacv1.PolicyRule {
		rules := e.rulesIn(namespace, t, firstVia(kube.Via(f.via)), s)
		if f.canary {
			rules[""] = append(rules[""], workload.CanaryRules()...)
		}
		return rules
	}, func() *scope { return scopeOf(ctx, clients, t, kube.Via(f.via)) })
	if err != nil {
		return nil, err
	}
	agreements := agreedTo(f.accept)
	in := opening{
		clients: clients, target: t, source: one.Source, server: t.Server(), namespace: namespace, via: kube.Via(f.via), say: g.say, only: f.dryRun,
		terminate: f.stragglers == "terminate", wait: f.stragglersSet && f.stragglers == "wait", agreed: agreements.has,
		reassign: slices.Contains(f.accept, acceptReassign), leaked: f.compromised,
	}
	o, err := e.open(ctx, in)
	if err != nil {
		return nil, clients.Explain(err)
	}
	o.who, o.say, o.file, o.source, o.lacking, o.agreed = who, g.say, g.config, one.Source, lacking, agreements
	f.apply(&o.Rotation, t)
	if err := o.gates(ctx, in); err != nil {
		o.close()
		return nil, clients.Explain(err)
	}
	if f.compromised {
		err = o.leaked(ctx, in, f)
	} else {
		o.before(in)
	}
	if err != nil {
		o.close()
		return nil, err
	}
	if in.only { // no preflight need come to say it
		for _, text := range o.unlooked {
			o.note(text)
		}
	}
	o.canary(in, f.canary)
	o.tellers = tellers(in)
	return o, nil
}

// apply sets what the flags and the target say about a run.
func (f runFlags) apply(r *rotation.Rotation, t config.Target) {
	r.Soak = t.Soak.Duration
	if f.soakSet {
		r.Soak = f.soak
	}
	r.Terminate = f.stragglers == "terminate"
	r.Timeout = f.timeout
	if !f.wait {
		r.Timeout = 0
	}
}
