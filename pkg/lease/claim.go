package lease

import (
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Doing is what a run is at.
type Doing string

// What runs do.
const (
	Rotating  Doing = "rotating"
	Aborting  Doing = "taking back the rotation of"
	Replacing Doing = "replacing the leaked value of"
)

// What a Lease says beyond its own fields.
const (
	annotationDoing   = "kubectl-rotate/doing"
	annotationMachine = "kubectl-rotate/machine"
)

// claim is what a Lease says: who has it, and since and until when, by the API server's clock. The zero claim is
// nobody's.
type claim struct {
	holder Holder
	doing  Doing
	since  time.Time
	heard  time.Time     // when the holder last renewed it
	length time.Duration // how long it holds without
}

func claimOf(l *coordinationv1.Lease) claim {
	s := l.Spec
	if s.HolderIdentity == nil || *s.HolderIdentity == "" {
		return claim{}
	}
	c := claim{holder: parseHolder(*s.HolderIdentity, l.Annotations[annotationMachine]), doing: Doing(l.Annotations[annotationDoing])}
	if s.AcquireTime != nil {
		c.since = s.AcquireTime.Time
	}
	if s.RenewTime != nil {
		c.heard = s.RenewTime.Time
	}
	if s.LeaseDurationSeconds != nil {
		c.length = time.Duration(*s.LeaseDurationSeconds) * time.Second
	}
	return c
}

// write puts the claim into l.
func (c claim) write(l *coordinationv1.Lease) {
	identity, seconds := c.holder.String(), int32(c.length/time.Second)
	since, heard := metav1.NewMicroTime(c.since), metav1.NewMicroTime(c.heard)
	s := &l.Spec
	s.HolderIdentity, s.LeaseDurationSeconds, s.AcquireTime, s.RenewTime = &identity, &seconds, &since, &heard
	if l.Annotations == nil {
		l.Annotations = map[string]string{}
	}
	l.Annotations[annotationDoing], l.Annotations[annotationMachine] = string(c.doing), c.holder.Machine
}

func (c claim) ends() time.Time { return c.heard.Add(c.length) }

// same says whether c and other are one run's.
func (c claim) same(other claim) bool { return c.holder == other.holder && c.since.Equal(other.since) }

// verdict is what a claim means to somebody who wants the Lease.
type verdict int

const (
	free    verdict = iota // nobody has it
	expired                // whoever had it has not been heard of for too long
	dead                   // whoever had it is a process of this machine that has ended
	yields                 // somebody has it, and what we do goes first
	alive                  // somebody has it, on this machine, and is there
	unknown                // somebody has it, on another machine: time will tell
)

// judge says what c means to a run by me that does doing. An abort goes before a rotation, and the answer to a leak
// before everything.
func (c claim) judge(me Holder, doing Doing, now time.Time, gone func(pid int) bool) verdict {
	switch {
	case c.holder == Holder{}:
		return free
	case !now.Before(c.ends()):
		return expired
	case c.holder.near(me) && gone(c.holder.PID):
		return dead
	case doing == Replacing, doing == Aborting && c.doing != Aborting:
		return yields
	case c.holder.near(me):
		return alive
	}
	return unknown
}
