package rotation

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// users observes who still uses the other versions.
type users struct {
	core
	logins
	pods      *pods
	who       func(ctx context.Context, address string) string // names who is no consumer; nil: nobody does
	window    time.Duration                                    // how long nobody may be seen
	terminate bool                                             // sessions of clients that are not known pods may be ended

	quiet time.Time // since when this run has seen nobody
}

// drain waits until nobody uses the other versions: no session of any of them, on any node, over
// an observation window, since none at one moment is only a sample.
func (u *users) drain() Step {
	return Step{
		Name:       StepDrain,
		Section:    After,
		Goal:       "nobody uses the old version",
		Stragglers: true,
		Check:      u.isIdle,
		Apply:      u.replaceStragglers,
	}
}

func (u *users) isIdle(ctx context.Context, rec Record) (State, error) {
	stragglers, err := u.stragglers(ctx, rec)
	if err != nil || stragglers == nil {
		return State{Phase: Doubtful, Note: u.untold, Consent: ConsentUsers}, err
	}
	s := State{Phase: Waiting, Note: fmt.Sprintf("%d sessions of %s", len(stragglers.all), ids(u.apart(rec)))}
	for _, n := range stragglers.silent {
		s.Note += "; who is connected to " + n.Where + " is not known"
		s.Items = append(s.Items, Item{Name: n.Where, Phase: Waiting, Note: n.note()})
	}
	for _, g := range stragglers.all {
		s.Items = append(s.Items, Item{Name: g.name, Phase: Waiting, Note: g.note})
	}
	now := u.now()
	switch {
	case len(stragglers.pods) > 0:
		s.Phase = ToDo
	case len(stragglers.silent) > 0:
	case len(stragglers.all) > 0 && !u.terminate && published(rec):
	case u.quiet.IsZero():
		u.quiet = now
		fallthrough
	default:
		s.Until = u.quiet.Add(u.window)
		if !now.Before(s.Until) {
			s.Phase, s.Until = Done, time.Time{}
		}
		return s, nil
	}
	u.quiet = time.Time{}
	return s, nil
}

// glimpse looks for users of the other versions while their last pods end: a pod is there for a
// while after its sessions are over, and that nobody was seen in it counts for the window of drain.
// What could not be told counts for nothing, and neither does what was seen before a pod came back
// that is there to stay.
func (u *users) glimpse(ctx context.Context, rec Record, only bool) {
	if !only {
		u.quiet = time.Time{}
		return
	}
	use, err := u.inUse(ctx, rec)
	switch {
	case err != nil || !use.Known || len(use.Sessions)+len(use.Silent) > 0: // whose sessions they are does not count
		u.quiet = time.Time{}
	case u.quiet.IsZero():
		u.quiet = u.now()
	}
}

// straggler is a session of an other version and whom it belongs to.
type straggler struct {
	name, note string
}

// stragglers are all sessions of the other versions, and the pods among them that are there to
// stay; and the nodes that could not be asked.
type stragglers struct {
	all    []straggler
	pods   []podOf
	silent []Standing
}

type podOf struct {
	w Workload
	p Pod
}

// inUse is who uses any of the other versions; not Known means that the system cannot tell of one
// of them.
func (u *users) inUse(ctx context.Context, rec Record) (all Usage, err error) {
	for _, c := range u.apart(rec) {
		use, err := u.System.InUse(ctx, c)
		if err != nil {
			return Usage{}, fmt.Errorf("who uses %s: %w", c.ID, err)
		}
		if !use.Known {
			return Usage{}, nil
		}
		all.Sessions, all.Silent = append(all.Sessions, use.Sessions...), append(all.Silent, use.Silent...)
	}
	all.Known = true
	return all, nil
}

// stragglers looks at every other version; nil means that the system cannot tell.
func (u *users) stragglers(ctx context.Context, rec Record) (*stragglers, error) {
	use, err := u.inUse(ctx, rec)
	if err != nil || !use.Known {
		return nil, err
	}
	found := &stragglers{}
	found.hush(use.Silent)
	if len(use.Sessions) == 0 {
		return found, nil
	}
	workloads, err := u.Consumers.Workloads(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range use.Sessions {
		found.add(s, workloads, func() string { return u.name(ctx, s) })
	}
	return found, nil
}

// hush adds nodes that could not be asked, each once.
func (g *stragglers) hush(silent []Standing) {
	for _, n := range silent {
		if !slices.ContainsFunc(g.silent, func(known Standing) bool { return known.Where == n.Where }) {
			g.silent = append(g.silent, n)
		}
	}
}

// name is whom a session belongs to that comes from no consumer.
func (u *users) name(ctx context.Context, s Session) string {
	if u.who != nil && s.Address != "" && s.Pooler == "" {
		if name := u.who(ctx, s.Address); name != "" {
			return name + ", which does not read the Secret"
		}
	}
	return "not a known pod"
}

func (g *stragglers) add(s Session, workloads []Workload, who func() string) {
	owner, ok := ownerOf(s, workloads)
	if !ok {
		g.all = append(g.all, s.stranger(who()))
		return
	}
	note := owner.w.Name
	if owner.p.Terminating {
		note += ", terminating"
	} else {
		g.pods = append(g.pods, owner)
	}
	g.all = append(g.all, straggler{name: "pod/" + owner.p.Name, note: note})
}

// ownerOf is the pod that a session comes from: its address, and an age within the pod's life,
// since addresses are used again.
func ownerOf(s Session, workloads []Workload) (podOf, bool) {
	for _, w := range workloads {
		for _, p := range w.Pods {
			if s.Address != "" && slices.Contains(p.Addresses, s.Address) && !s.Since.Before(p.Created) {
				return podOf{w, p}, true
			}
		}
	}
	return podOf{}, false
}

// stranger is a session that belongs to no consumer, but to who. One that a pooler holds may have
// no client any more.
func (s Session) stranger(who string) straggler {
	since := "since " + s.Since.UTC().Format(time.TimeOnly)
	if s.Pooler != "" {
		return straggler{name: "pooler " + s.Pooler, note: since +
			"; if no client uses it, it ends with the pooler's idle timeout, at a RECONNECT on its console, or with --stragglers=terminate"}
	}
	name := s.Address
	if name == "" {
		name = "local socket"
	}
	if s.App != "" {
		name += fmt.Sprintf(" (%s)", s.App)
	}
	return straggler{name: name, note: who + "; " + since}
}

// replaceStragglers ends pods that still use an other version although their labels say better:
// what they were handed at their start was old. One pod of each workload at a time, and only while
// all others serve.
func (u *users) replaceStragglers(ctx context.Context, rec Record) error {
	found, err := u.stragglers(ctx, rec)
	if err != nil || found == nil {
		return err
	}
	ended := map[string]bool{}
	for _, g := range found.pods {
		if ended[g.w.Name] || g.w.Fixed || !g.w.Settled || g.w.ready() < g.w.Desired {
			continue
		}
		if err := u.pods.replace(ctx, g.w, g.p); err != nil {
			return fmt.Errorf("replacing pod %s, which still uses the old version: %w", g.p.Name, err)
		}
		ended[g.w.Name] = true
	}
	return nil
}
