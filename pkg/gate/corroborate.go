package gate

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// recently is how old a finding may be to count as going on now.
const recently = 30 * time.Second

// InUse reports who uses a credential now, as [rotation.System] does.
type InUse func(context.Context, rotation.Credential) (rotation.Usage, error)

// finding is a sign that a pod cannot use the new version: a line in its log, a login that the server refused.
type finding struct {
	pod    Pod
	last   time.Time
	count  int
	server bool   // the server itself saw it, from the pod's address
	note   string // for people
}

// Corroborator decides what a finding is worth. One client can put a line into a log, and have a pod try a wrong login; no client
// can keep a pod from being ready, or from its sessions, by that. So a finding fails a gate only where one of these confirms it:
//
//   - the kubelet reports that the pod is not ready;
//   - it goes on, and the server sees no session of the new version: from that pod, where the server saw the finding; else from
//     anybody.
//
// Otherwise the gate waits while the finding goes on, and passes with a note once it has ended.
type Corroborator struct {
	InUse InUse            // nil: sessions confirm nothing
	Now   func() time.Time // nil: the local clock

	mu     sync.Mutex
	worked map[string]time.Time // when a session of the new version was last seen, by pod; "" is anybody's
}

// judge gives the state of a gate with these findings; good is its note where all is well.
func (c *Corroborator) judge(ctx context.Context, rec rotation.Record, all []finding, good string) (rotation.Item, error) {
	item := rotation.Item{Phase: rotation.Done, Note: good}
	if len(all) == 0 {
		return item, nil
	}
	known, err := c.askServer(ctx, rec, all)
	if err != nil {
		return rotation.Item{}, err
	}
	for _, f := range all {
		phase, why := c.weigh(f, known)
		note := fmt.Sprintf("pod/%s %s; %s", f.pod.Name, f.note, why)
		switch {
		case phase == rotation.Failed:
			return rotation.Item{Phase: phase, Note: note}, nil
		case phase == rotation.Waiting && item.Phase == rotation.Done:
			item = rotation.Item{Phase: phase, Note: note}
		case phase == rotation.Done && item.Phase == rotation.Done:
			item.Note += "; " + note
		}
	}
	return item, nil
}

// weigh decides on one finding. known says whether the server knows who uses the new version.
func (c *Corroborator) weigh(f finding, known bool) (phase rotation.Phase, why string) {
	pod, who := f.pod.key(), "that pod"
	if !f.server {
		pod, who = "", "anybody"
	}
	c.mu.Lock()
	worked := c.worked[pod]
	c.mu.Unlock()
	now := c.now()
	goesOn, works := f.last.After(now.Add(-recently)), worked.After(now.Add(-recently))
	switch {
	case !f.pod.Known.Ready:
		return rotation.Failed, "the pod is not ready"
	case goesOn && f.count > 1 && known && !works:
		return rotation.Failed, "the server sees no session of the new version from " + who
	case goesOn:
		return rotation.Waiting, "nothing else confirms it, and any client may have caused it"
	case f.server && !worked.After(f.last):
		return rotation.Waiting, "no session of the new version was seen from that pod since"
	}
	return rotation.Done, "it has ended, and the pod is ready"
}

// askServer notes which pods have a session of the new version. It reports whether the server can tell.
func (c *Corroborator) askServer(ctx context.Context, rec rotation.Record, all []finding) (known bool, err error) {
	target, staged := rec.Target()
	if c.InUse == nil || !staged {
		return false, nil
	}
	usage, err := c.InUse(ctx, target)
	if err != nil {
		return false, fmt.Errorf("asking the server who uses %s: %w", target.ID, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.worked == nil {
		c.worked = map[string]time.Time{}
	}
	now := c.now()
	if len(usage.Sessions) > 0 {
		c.worked[""] = now
	}
	for _, f := range all {
		if slices.ContainsFunc(usage.Sessions, func(s rotation.Session) bool { return mayBeOf(s, f.pod.Known) }) {
			c.worked[f.pod.key()] = now
		}
	}
	return usage.Known && len(usage.Silent) == 0, nil
}

// mayBeOf says whether a session may be a pod's: it has the pod's address, or the server hides addresses from its administrator.
func mayBeOf(s rotation.Session, p rotation.Pod) bool {
	if _, err := netip.ParseAddr(s.Address); err != nil {
		return s.Address != ""
	}
	return slices.Contains(p.Addresses, s.Address) && !s.Since.Before(p.Created)
}

func (c *Corroborator) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}
