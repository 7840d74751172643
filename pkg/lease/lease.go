package lease

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	coordinationclient "k8s.io/client-go/kubernetes/typed/coordination/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Duration is how long a Lease holds after its holder was last heard of, and Period how often a holder is. Between
// them a single effect has to end: Duration - Period is more than any may take.
const (
	Duration = 45 * time.Second
	Period   = 10 * time.Second
)

// How often a Lease of another machine is looked at, and how often the wait for it is said.
const (
	look    = time.Second
	sayWait = 10 * time.Second
)

// patience is how long one renewal, or the release, may take.
const patience = 3 * time.Second

const (
	suffix       = "-rotate"             // makes the name from that of the application's Secret
	fieldManager = "credential-rotation" // as of all that a rotation writes
)

// Rules are the permissions that taking the Lease of the target with that Secret takes. Creating can't be limited
// to a name: the API server does not know it yet when it asks.
func Rules(secret string) []rbacv1.PolicyRule {
	groups, resources := []string{coordinationv1.GroupName}, []string{"leases"}
	return []rbacv1.PolicyRule{
		{APIGroups: groups, Resources: resources, ResourceNames: []string{secret + suffix}, Verbs: []string{"get", "update"}},
		{APIGroups: groups, Resources: resources, Verbs: []string{"create"}},
	}
}

// Lease is one target's. Its fields are set once, before Take.
type Lease struct {
	Leases    coordinationclient.LeasesGetter
	Namespace string
	Secret    string // the application's; the Lease is called as it, with "-rotate" at its end
	Target    string // for people
	Me        Holder
	Doing     Doing
	Wait      bool                             // for a holder on another machine that may be dead
	Now       func() time.Time                 // the API server's clock; nil is the local one
	Say       func(format string, args ...any) // told what is waited for, and who came before or after; nil: nobody

	duration, period time.Duration // of tests; 0: Duration and Period
}

// Take takes the Lease, or says who has it: a refusal, with nothing changed. A holder whose process on this machine
// has ended, or who has not been heard of for [Duration], has it no more. Whether one on another machine is dead is
// seen by waiting for a sign of life. An abort takes the Lease from a rotation, and the answer to a leak from
// anybody, at once: what they were doing is fenced off by the record.
//
// The Lease is renewed in the background until it is released. ctx bounds the taking alone.
func (l *Lease) Take(ctx context.Context) (*Held, error) {
	var watched claim
	var said time.Time
	for {
		found, err := l.find(ctx)
		if err != nil {
			return nil, err
		}
		c := claimOf(found)
		v := c.judge(l.Me, l.Doing, l.now(), gone)
		moved := watched != claim{} && (!c.same(watched) || !c.heard.Equal(watched.heard))
		if v == alive || v == unknown && (moved || !l.Wait) {
			return nil, l.busy(c)
		}
		if v != unknown {
			held, err := l.claim(ctx, found)
			if apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) {
				continue
			}
			if err != nil {
				return nil, l.explain(err)
			}
			l.tookFrom(c, v)
			return held, nil
		}
		watched = c
		if l.now().Sub(said) >= sayWait {
			said = l.now()
			l.say("%s has the lease of %s, and is on another host: waiting for a sign of life; it runs out in %.0fs",
				c.holder, l.Target, c.ends().Sub(said).Seconds())
		}
		if err := rest(ctx, look); err != nil {
			return nil, err
		}
	}
}

// find is the Lease as it is, or a new one.
func (l *Lease) find(ctx context.Context) (*coordinationv1.Lease, error) {
	found, err := l.Leases.Leases(l.Namespace).Get(ctx, l.name(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: l.name(), Namespace: l.Namespace}}, nil
	}
	if err != nil {
		return nil, l.explain(err)
	}
	return found, nil
}

// claim writes that we have it, if it is still as found.
func (l *Lease) claim(ctx context.Context, found *coordinationv1.Lease) (*Held, error) {
	now := l.now()
	c := claim{holder: l.Me, doing: l.Doing, since: now, heard: now, length: or(l.duration, Duration)}
	c.write(found)
	transitions := int32(1)
	if found.Spec.LeaseTransitions != nil {
		transitions += *found.Spec.LeaseTransitions
	}
	found.Spec.LeaseTransitions = &transitions
	written, err := l.write(ctx, found)
	if err != nil {
		return nil, err
	}
	return hold(ctx, l, written), nil
}

// write creates found if it was never written, else it updates it as it was found.
func (l *Lease) write(ctx context.Context, found *coordinationv1.Lease) (*coordinationv1.Lease, error) {
	if found.ResourceVersion == "" {
		return l.Leases.Leases(l.Namespace).Create(ctx, found, metav1.CreateOptions{FieldManager: fieldManager})
	}
	return l.Leases.Leases(l.Namespace).Update(ctx, found, metav1.UpdateOptions{FieldManager: fieldManager})
}

// busy refuses, and says what the other one is at and what can be done.
func (l *Lease) busy(c claim) error {
	err := fmt.Errorf("%s has been %s %s since %s: another run would only get in its way",
		c.holder, or(c.doing, "at work on"), l.Target, c.since.UTC().Format("15:04:05 MST"))
	return rotation.Refuse(rotation.WithHint(err, fmt.Sprintf(
		"watch it with `%s`; should it die, the way is free %.0fs after; `%s` takes over from a rotation at once",
		rotation.Command("kubectl", "rotate", "status", l.Target), c.length.Seconds(), rotation.Command("kubectl", "rotate", "abort", l.Target))))
}

// tookFrom tells whose Lease it was, where somebody had it.
func (l *Lease) tookFrom(c claim, v verdict) {
	switch v {
	case expired:
		l.say("taking over from %s: not heard of since %s", c.holder, c.heard.UTC().Format("15:04:05 MST"))
	case dead:
		l.say("taking over from %s: that process has ended", c.holder)
	case yields:
		l.say("taking over from %s, who was %s %s: that run ends by itself", c.holder, or(c.doing, "at work on"), l.Target)
	}
}

func (l *Lease) explain(err error) error {
	err = fmt.Errorf("taking lease %s/%s: %w", l.Namespace, l.name(), err)
	if apierrors.IsForbidden(err) {
		return rotation.Refuse(rotation.WithHint(err, "`kubectl rotate rbac` prints the Role that it takes"))
	}
	return err
}

func (l *Lease) name() string { return l.Secret + suffix }

func (l *Lease) now() time.Time {
	if l.Now == nil {
		return time.Now()
	}
	return l.Now()
}

func (l *Lease) say(format string, args ...any) {
	if l.Say != nil {
		l.Say(format, args...)
	}
}

// rest waits, unless ctx ends before.
func rest(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}
