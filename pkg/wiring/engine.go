package wiring

import (
	"context"
	"sync"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/discover"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/gate"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Engine is one kind of target: its command, and how its parts are put together.
type Engine struct {
	Kind    config.Kind
	Short   string
	Long    string
	Example string
	// Emergency is the help of a command of its own for a value that has leaked; "" is none beside --compromised.
	Emergency string
	// open puts the parts of a target together.
	open func(context.Context, opening) (*Opened, error)
	// Outline is the checklist of an intent with nothing behind it: its names and their order.
	Outline func(rotation.Intent) []rotation.Step
	// store is the target's record alone.
	store func(opening) rotation.Store
	// rules are the permissions that a run needs, by namespace; "" is the target's own. A scope limits them to names.
	rules func(config.Target, kube.Via, *Scope) map[string][]rbacv1.PolicyRule
	// Discover is how its servers and Secrets are found; nil where it has none.
	Discover *discover.Kind
	// Admin is the Secret of the runbook that holds the administrator's password.
	Admin string
	// helpful are permissions that a run does without, and tells more with.
	helpful []rbacv1.PolicyRule
}

// rulesIn are the rules of a target that is in that namespace, whether it says so or the kubeconfig does.
func (e Engine) rulesIn(namespace string, t config.Target, via kube.Via, s *Scope) map[string][]rbacv1.PolicyRule {
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

// Opened is a target that can be rotated.
type Opened struct {
	rotation.Rotation
	Clients   *kube.Clients
	Config    config.Target
	Namespace string
	Source    config.Source // of the target
	File      string        // the targets file; "" where none was named
	Operator  string
	Leftovers func(context.Context, rotation.Record) ([]string, error)                            // who else can come in; nil: no such thing
	refused   func(context.Context, time.Time, []rotation.Credential) ([]rotation.Refusal, error) // whom the server has refused; nil: not known
	inUse     gate.InUse                                                                          // who uses a login, whichever password it has; nil: not known
	unlooked  []string                                                                            // what is not looked at, since a permission is missing that is only helpful
	Lacking   []kube.Permission                                                                   // what a run takes and this look does not: it only reads
	Tellers   []Teller                                                                            // who is told of what becomes of a run
	Protected string                                                                              // the context's name, where it has to be typed before anything begins; "" where it has not
	urgent    []look                                                                              // what is looked at before where a value has leaked; nil: what always is
	sessions  *sessions                                                                           // what was opened with the value, and is ended where that has leaked; nil: nothing
	Agreed    *Agreements                                                                         // what the operator has agreed to in this run
	Began     func()                                                                              // called when a run has the target to itself; may be nil
	noting    sync.Mutex
	said      map[string]bool
	Say       func(format string, args ...any)
	closers   []func()
}

// Note tells the operator something that is worth knowing, once.
func (o *Opened) Note(text string) {
	o.noting.Lock()
	defer o.noting.Unlock()
	if o.said[text] {
		return
	}
	if o.said == nil {
		o.said = map[string]bool{}
	}
	o.said[text] = true
	o.Say("note: %s", text)
}

// onClose has f called when the target is closed, the last one first.
func (o *Opened) onClose(f func()) { o.closers = append(o.closers, f) }

// Close ends what the target holds open.
func (o *Opened) Close() {
	for i := len(o.closers) - 1; i >= 0; i-- {
		o.closers[i]()
	}
}

// Engines are all there are. Adding one is a line here and a file beside this one.
func Engines() []Engine {
	return []Engine{postgresEngine(), redisEngine(), jwtEngine()}
}

// StepsOf are the names of all steps that a target of a kind may have, in their order; "" is any
// kind.
func StepsOf(kind config.Kind) []string {
	var lists [][]rotation.Step
	for _, e := range Engines() {
		if kind == "" || kind == e.Kind {
			lists = append(lists, e.Outline(rotation.Intent{}), e.Outline(rotation.Intent{Compromised: true}))
		}
	}
	return rotation.Names(lists...)
}

// OutlineOf is the checklist of a kind with nothing behind it. A record may name any kind: one that
// is not known has that of a server.
func OutlineOf(kind config.Kind) func(rotation.Intent) []rotation.Step {
	if !HasEngine(kind) {
		return rotation.ServerOutline
	}
	return EngineOf(kind).Outline
}

// EngineOf gives the engine of a kind; every kind that a valid configuration can name has one.
func EngineOf(kind config.Kind) Engine {
	for _, e := range Engines() {
		if e.Kind == kind {
			return e
		}
	}
	panic("no engine for targets of kind " + string(kind))
}
