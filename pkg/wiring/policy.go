package wiring

import (
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
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

// UsageError is a policy or a configuration that cannot be meant.
type UsageError struct{ error }

func (e UsageError) Unwrap() error { return e.error }
