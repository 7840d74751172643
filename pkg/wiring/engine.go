package wiring

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/discover"
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
