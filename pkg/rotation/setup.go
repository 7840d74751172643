package rotation

import (
	"context"
	"slices"
	"time"
)

// Policy is what an operator may decide about a rotation. The zero value waits for nothing but
// evidence.
type Policy struct {
	Soak     time.Duration // how long the other versions stay quarantined before they are erased
	Window   time.Duration // how long nobody may be seen on the other versions before they count as idle
	Lifetime time.Duration // how long after the last change what was issued under the old version is valid, leeway included
	Skew     time.Duration // how far the clocks of the API server and the nodes may be apart
	// Reloads says that consumers read the Secret again while they run: none is restarted, and what
	// each of them does is seen by asking it, which takes a [Probed].
	Reloads bool
	// Terminate lets revoke end the sessions of clients that are not known pods; otherwise drain waits
	// for them.
	Terminate bool
	// TryFirst has one pod try the target before all others are handed it, where there is a Canary.
	TryFirst bool
}

// Environment is what a rotation checks and uses beside its parts. All of it may be missing.
type Environment struct {
	// Preflight is looked at before a rotation begins: each may refuse, or give items, and changes
	// nothing. Done ones are shown; the others are what the operator has to agree to beside the
	// rotation itself, and those with a Consent of their own are asked for one by one: agreeing is
	// recorded.
	Preflight []func(context.Context, Record) ([]Item, error)
	// Protect is inspected before the first effect of every run: of one that begins, that goes on,
	// that aborts, and in an emergency. It is what keeps a run from harming others than its target:
	// who can write the record can have a run begin in the middle. The record that it is given has the
	// run's own intent. Items are as those of Preflight.
	Protect []func(context.Context, Record) ([]Item, error)
	// Canary is how the target is tried by one pod before all others are handed it, and how what is
	// left of that is found; nil: there is no way.
	Canary Canary
	// Gates are looked at once every pod runs on the new version, and from then on to the end of the
	// soak.
	Gates []Gate
	// Who names what has an address and is no consumer, as far as it is known; "" is nobody known.
	// Nil: nobody is.
	Who func(ctx context.Context, address string) string
	// Missed is who was turned away with one of the refused since then, as far as anything tells; an
	// error says why that is not known, beside what is. It changes nothing. Nil: nothing tells.
	Missed func(ctx context.Context, since time.Time, refused []Credential) ([]Refusal, error)
	// Cut ends pods of a workload, all at once and past any budget, with a second to finish. Where it
	// is set, and a value has leaked, every pod that may hold it is ended before anything comes in its
	// place. Nil: pods are replaced as their controllers do that.
	Cut func(ctx context.Context, w Workload, pods []Pod) error
	// Exits are the pods that this run has seen, with the ends of those that have ended. Nil: nobody
	// looks.
	Exits func() []Exit
	// Refused tells at the end of an answer to a leak how many requests were refused.
	Refused Tally
	// Aftermath is what is done once no pod accepts what has leaked, such as ending the sessions that
	// came of it. Nil: nothing.
	Aftermath Aftermath
	// Now is the API server's clock; nil is the local one.
	Now func() time.Time
}

// Setup is what a checklist is made from.
type Setup struct {
	Parts
	Policy
	Environment
	Asked time.Time // when the command was given; how long an answer to a leak took is counted from then
	Want  Want      // what the intent was decided from: begin decides again on the very record that it writes to
}

// List makes the checklist of one intent: which steps there are, and in which order. [Overlap] is
// one.
type List func(Setup, Intent) []Step

// atOnce is a setup whose gates are judged by one check: none has to stay good or bad for a while.
func (s Setup) atOnce() Setup {
	s.Gates = slices.Clone(s.Gates)
	for i := range s.Gates {
		s.Gates[i].Hold, s.Gates[i].Patience = 0, 0
	}
	return s
}
