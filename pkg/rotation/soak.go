package rotation

import (
	"context"
	"fmt"
	"time"
)

// Refusal is a client that the system turned away with a credential which it refuses, once or more
// often.
type Refusal struct {
	ID          string // of the credential: the login
	Address     string // of the client, as the system saw it; "" where it did not say
	First, Last time.Time
	Count       int
}

// soaking waits while the other versions are quarantined.
type soaking struct {
	core
	logins
	soak   time.Duration
	missed func(ctx context.Context, since time.Time, refused []Credential) ([]Refusal, error) // nil: nothing tells
	who    func(ctx context.Context, address string) string                                    // nil: nobody knows
	gates  *gates                                                                              // nil: none are looked at
	skips  skips

	clients map[string]string // who had an address when it was turned away
}

// step leaves the other versions quarantined for a while before they are erased: whoever was not
// seen shows up as refused, and one command brings the value back.
func (k *soaking) step() Step {
	return Step{
		Name:    StepSoak,
		Section: After,
		Reached: func(rec Record) bool { return !rec.Marks[MarkQuarantined].IsZero() },
		Goal:    "the old version has been refused for a while, and nobody missed it",
		Check: func(ctx context.Context, rec Record) (State, error) {
			s := k.told(ctx, rec, k.soaked(rec))
			if k.gates == nil || !rec.leaving() {
				return s, nil
			}
			return k.gates.during(ctx, rec, s)
		},
		Skip: k.skips.skip,
	}
}

// soaked is whether the other versions have been refused for long enough.
func (k *soaking) soaked(rec Record) State {
	since := k.mark(rec, MarkQuarantined)
	switch {
	case !rec.leaving():
		return State{Phase: Done, Note: "nothing is left to be missed"}
	case !published(rec):
		return State{Phase: Done, Note: "what is to be erased was never handed out"}
	case since.IsZero():
		return State{Phase: Waiting, Note: fmt.Sprintf("%s is not refused yet", ids(rec.Others()))}
	}
	if end := since.Add(k.soak); k.now().Before(end) {
		return State{Phase: Waiting, Until: end, Note: fmt.Sprintf("%s refused since %s", ids(rec.Others()), since.UTC().Format(time.TimeOnly))}
	}
	return State{Phase: Done, Note: fmt.Sprintf("refused for %v", k.soak)}
}

// told adds to a soak's state who has been turned away. That holds nothing up: who it is may have
// no business there. While somebody tries again and again, what is said stays the same.
func (k *soaking) told(ctx context.Context, rec Record, s State) State {
	since := k.mark(rec, MarkQuarantined)
	if k.missed == nil || !rec.leaving() || !published(rec) || since.IsZero() {
		return s
	}
	all, err := k.missed(ctx, since, k.apart(rec))
	for _, r := range all {
		note := fmt.Sprintf("turned away as %s since %s", r.ID, r.First.UTC().Format(time.TimeOnly))
		if s.Phase == Done {
			note = fmt.Sprintf("turned away as %s %d times, the last at %s", r.ID, r.Count, r.Last.UTC().Format(time.TimeOnly))
		}
		s.Items = append(s.Items, Item{Name: k.client(ctx, r.Address), Phase: s.Phase, Note: note})
	}
	switch {
	case len(all) > 0:
		s.Note += fmt.Sprintf(", and still tried by %d", len(all))
	case err == nil && s.Phase == Done:
		s.Note += ", and nobody tried"
	}
	if err != nil {
		s.Note += fmt.Sprintf("; whether anybody is turned away is not known: %v", err)
	}
	return s
}

// client names who has an address, once: addresses are used again.
func (k *soaking) client(ctx context.Context, address string) string {
	if address == "" {
		return "a client whose address the log does not say"
	}
	name, known := k.clients[address]
	if !known && k.who != nil {
		name = k.who(ctx, address)
	}
	if k.clients == nil {
		k.clients = map[string]string{}
	}
	k.clients[address] = name
	if name == "" {
		return address
	}
	return fmt.Sprintf("%s (%s)", name, address)
}
