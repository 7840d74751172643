package wiring

import (
	"context"
	"errors"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// leaked has a run answer to a leak: only what it can't do without is looked at before, and the ends of pods are followed.
func (o *Opened) leaked(ctx context.Context, in opening, p Policy) error {
	switch {
	case o.sessions != nil:
		o.sessions.flush = p.Flush
		o.Aftermath = o.sessions
	case p.Flush:
		return UsageError{rotation.WithHint(errors.New("--flush-db: the configuration does not say which database"), "say where sessions are kept: jwt.sessions")}
	}
	if o.urgent != nil {
		o.Preflight = o.urgent
	}
	o.Asked = o.Clients.Now()
	if !p.Asked.IsZero() {
		o.Asked = o.Asked.Add(-time.Since(p.Asked))
	}
	if r := in.target.Refused; r != nil {
		o.Refused = o.tally(in, *r)
		if p.Now {
			o.Refused.Delay = 0
		}
	}
	across, ok := o.Consumers.(workload.Across)
	if !ok {
		return nil
	}
	watched, stop := context.WithCancel(ctx)
	o.onClose(stop)
	o.Exits = across.Exits(watched)
	if p.Cut {
		o.Cut = across.Cut
		o.Note("--cut: all pods that may hold the leaked value are ended at once, whether or not others can take their place: an outage until new ones are ready")
	}
	return nil
}
