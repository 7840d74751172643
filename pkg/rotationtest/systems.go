package rotationtest

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// verifiers are a system that reads the application's Secret itself.
type verifiers struct{ *operator }

func (o *operator) generate(v rotation.Version) (rotation.Credential, error) {
	return credential(uint8(v)), nil
}

// Generate makes the next value.
func (s verifiers) Generate(_ context.Context, v rotation.Version, _ rotation.Credential) (rotation.Credential, error) {
	return s.generate(v)
}

// Standing is not known: verifiers are not asked.
func (s verifiers) Standing(context.Context, rotation.Credential) ([]rotation.Standing, error) {
	return []rotation.Standing{{Where: "verifiers", Status: rotation.Unproven}}, nil
}

// InUse is not known: what was issued leaves no session.
func (s verifiers) InUse(context.Context, rotation.Credential) (rotation.Usage, error) {
	return rotation.Usage{}, nil
}

// asked are verifiers each of whose pods says what it makes of a version.
type asked struct{ verifiers }

var _ rotation.Probed = asked{}

// Lifetime is the wait of this world.
func (s asked) Lifetime(context.Context, []rotation.Workload) (time.Duration, error) {
	return wait, nil
}

// Probe goes by what each pod was really handed.
func (s asked) Probe(_ context.Context, workloads []rotation.Workload, want rotation.Wanted) (all []rotation.Reply, err error) {
	if s.dead {
		return nil, errKilled
	}
	for _, load := range workloads {
		for _, p := range load.Pods {
			reply := rotation.Reply{Workload: load.Name, Pod: p.Name, Status: rotation.Accepts}
			if !s.world.heldBy(p).does(want) {
				reply.Status = rotation.Altered
			}
			all = append(all, reply)
		}
	}
	return all, nil
}

// heldBy is the view that the pod of a record was handed.
func (w *World) heldBy(p rotation.Pod) view {
	i, _ := strconv.Atoi(p.Name)
	if i >= maxSlots {
		return w.views[w.pods[i-maxSlots].leaving.holds]
	}
	return w.views[w.pods[i].now.holds]
}

func (v view) does(want rotation.Wanted) bool {
	for _, c := range want.Accept {
		if v.accept&(1<<c.V) == 0 {
			return false
		}
	}
	for _, c := range want.Refuse {
		if v.accept&(1<<c.V) != 0 {
			return false
		}
	}
	return want.Sign == nil || rotation.Version(v.active) == want.Sign.V
}

// server is a system that is told, with a lock of its own around each effect and the look at the intent before it.
type server struct {
	*operator
	obeys obedience
}

// Generate makes the next value.
func (s server) Generate(_ context.Context, v rotation.Version, _ rotation.Credential) (rotation.Credential, error) {
	return s.generate(v)
}

// Standing is how each node treats c.
func (s server) Standing(_ context.Context, c rotation.Credential) (places []rotation.Standing, err error) {
	if s.dead {
		return nil, errKilled
	}
	names := map[uint8]rotation.Status{absent: rotation.Absent, accepts: rotation.Accepts, quarantined: rotation.Quarantined}
	for n := range s.world.at {
		places = append(places, rotation.Standing{Where: strconv.Itoa(n), Status: names[*s.world.login(n, c)]})
	}
	return places, nil
}

// InUse is every session of c: each pod has one, and so has the client outside. What no node accepts any more has none: a
// revocation ends them.
func (s server) InUse(_ context.Context, c rotation.Credential) (rotation.Usage, error) {
	if s.dead {
		return rotation.Usage{}, errKilled
	}
	use := rotation.Usage{Known: true}
	w := s.world
	add := func(address string, v uint8) {
		if w.credential(v).ID == c.ID && w.acceptedSomewhere(v) {
			use.Sessions = append(use.Sessions, rotation.Session{Address: address, Since: now()})
		}
	}
	for i, slot := range w.pods[:w.slots] {
		add(strconv.Itoa(i), w.views[slot.now.holds].active)
		if slot.leaving.alive {
			add(strconv.Itoa(i+maxSlots), w.views[slot.leaving.holds].active)
		}
	}
	add("outside", w.outside)
	return use, nil
}

func (w *World) acceptedSomewhere(v uint8) bool {
	for n := range w.at {
		if w.at[n][v] == accepts {
			return true
		}
	}
	return false
}

// told runs an effect on every node, one after the other: a fault may strike between two.
func (s server) told(ctx context.Context, f rotation.Fence, c rotation.Credential, to uint8) error {
	for n := range nodes {
		err := s.effect(func(w *World) error {
			if err := f(ctx); err != nil {
				return err
			}
			if err := w.entitled(c, s.obeys); err != nil {
				return err
			}
			s.taking(w, to != accepts, fmt.Sprintf("v%d", c.V))
			if to != quarantined || *w.login(n, c) != absent {
				w.set(n, c, to)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// set has a node treat a login in one way.
func (w *World) set(node int, c rotation.Credential, to uint8) {
	if w.one && to == accepts {
		w.at[node] = [maxVersions]uint8{}
	}
	*w.login(node, c) = to
	w.tenant.mark(c, to)
}

// Install makes each node accept c.
func (s server) Install(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	return s.told(ctx, f, c, accepts)
}

// Revoke makes each node refuse c. Whoever held it has lost its session.
func (s server) Revoke(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	return s.told(ctx, f, c, quarantined)
}

// Erase removes c from each node.
func (s server) Erase(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	return s.told(ctx, f, c, absent)
}

// Plan has nothing to say.
func (s server) Plan(context.Context, rotation.Effect, rotation.Credential) ([]string, error) {
	return nil, nil
}

// single is a server that keeps one version at a time: installing one makes it forget all others.
type single struct{ server }

var _ rotation.Single = single{}

// Gap says something.
func (s single) Gap() string { return "whoever holds the old version is refused" }

// InUse is not known: sessions of all versions look the same.
func (s single) InUse(context.Context, rotation.Credential) (rotation.Usage, error) {
	return rotation.Usage{}, nil
}

// Revoke changes nothing.
func (s single) Revoke(ctx context.Context, f rotation.Fence, _ rotation.Credential) error {
	return f(ctx)
}

// Erase changes nothing.
func (s single) Erase(ctx context.Context, f rotation.Fence, _ rotation.Credential) error {
	return f(ctx)
}
