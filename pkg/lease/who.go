package lease

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Run is a run that has a Lease.
type Run struct {
	Holder Holder
	Doing  Doing     // "" where it does not say
	Since  time.Time // when it took the Lease
	Heard  time.Time // when it last renewed it
}

// Who is the run that has the Lease now, for whoever only looks. It is nil where nobody has it: also where who had it has
// not been heard of for as long as it holds, or is a process of this machine that has ended.
func (l *Lease) Who(ctx context.Context) (*Run, error) {
	found, err := l.Leases.Leases(l.Namespace).Get(ctx, l.name(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading lease %s/%s: %w", l.Namespace, l.name(), err)
	}
	c := claimOf(found)
	switch c.judge(l.Me, Rotating, l.now(), gone) {
	case free, expired, dead:
		return nil, nil
	}
	return &Run{Holder: c.holder, Doing: c.doing, Since: c.since, Heard: c.heard}, nil
}
