package lease

import (
	"context"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Held is a Lease that was taken. It is renewed until somebody else takes it, or it is released. Losing it stops
// nothing: whoever took it over has decided otherwise, and the record says so to every step.
type Held struct {
	lease   *Lease
	written *coordinationv1.Lease // as we last wrote it
	stop    context.CancelFunc
	over    chan struct{} // closed when nothing renews it any more
	lost    bool          // read it after over
}

// hold renews a Lease in the background.
func hold(ctx context.Context, l *Lease, written *coordinationv1.Lease) *Held {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	h := &Held{lease: l, written: written, stop: stop, over: make(chan struct{})}
	go func() {
		defer close(h.over)
		for !h.lost && rest(ctx, or(l.period, Period)) == nil {
			h.renew(ctx)
		}
	}()
	return h
}

// renew says that we are still there. What keeps it from being said is no reason to stop: the next time may do.
func (h *Held) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	next := h.written.DeepCopy()
	heard := metav1.NewMicroTime(h.lease.now())
	next.Spec.RenewTime = &heard
	written, err := h.lease.write(ctx, next)
	if err == nil {
		h.written = written
		return
	}
	if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		return
	}
	found, err := h.lease.find(ctx)
	if err != nil {
		return
	}
	switch c := claimOf(found); {
	case c.same(claimOf(h.written)):
		h.written = found
	case found.ResourceVersion == "": // somebody has deleted it
		next.ResourceVersion, next.UID = "", ""
		h.written = next
	default:
		h.lost = true
		h.lease.lostTo(c)
	}
}

// lostTo tells who has it now.
func (l *Lease) lostTo(c claim) {
	if c.holder != (Holder{}) {
		l.say("%s has taken over at %s", c.holder, c.since.UTC().Format(time.TimeOnly+" MST"))
	}
}

// Release gives the Lease back, whether ctx has ended or not. Where that fails it runs out by itself.
func (h *Held) Release(ctx context.Context) {
	h.stop()
	<-h.over
	if h.lost || h.written.ResourceVersion == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	mine := claimOf(h.written)
	for found, err := h.written, error(nil); err == nil && claimOf(found).same(mine); found, err = h.lease.find(ctx) {
		if _, err := h.lease.write(ctx, given(found)); !apierrors.IsConflict(err) {
			return
		}
	}
}

// given is l as nobody's.
func given(l *coordinationv1.Lease) *coordinationv1.Lease {
	next := l.DeepCopy()
	next.Annotations = nil
	next.Spec = coordinationv1.LeaseSpec{LeaseTransitions: l.Spec.LeaseTransitions}
	return next
}
