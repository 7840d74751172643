package rotationtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// The times of a world: one edition an epoch, pods between two of them, and now long after all.
const (
	epoch = 10 * time.Hour
	wait  = time.Hour // the soak, and the life of what is issued
	skew  = time.Hour
)

var dawn = time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)

func now() time.Time { return dawn.Add(1000 * epoch) }

// written is when edition n was made; nobody knows it of the first.
func written(n uint8) time.Time {
	if n <= 1 {
		return time.Time{}
	}
	return dawn.Add(time.Duration(n) * epoch)
}

// during is a time at which edition n was current.
func during(n uint8) time.Time { return dawn.Add(time.Duration(n)*epoch + epoch/2) }

func (m mark) time() time.Time {
	switch m {
	case fresh:
		return now()
	case old:
		return now().Add(-2 * wait)
	}
	return time.Time{}
}

func markOf(t time.Time) mark {
	switch {
	case t.IsZero():
		return unset
	case t.Equal(now()):
		return fresh
	}
	return old
}

// errKilled ends an operator in the middle of what it was doing.
var errKilled = errors.New("killed")

// A fault is what befalls an operator at one of its effects.
type fault struct {
	effect int // which effect of this turn, from 1; 0 is none
	kind   faultKind
}

type faultKind uint8

const (
	killedBefore faultKind = iota + 1 // the effect does not take place
	killedAfter                       // it does, and the answer is lost
	stalled                           // it does not take place yet
)

// operator is one process at work in a world. It sees the world through the seams of package rotation.
type operator struct {
	world *World
	fault fault

	effects int  // how many it has begun in this turn
	dead    bool // a fault has struck

	wroteApp, wroteRecord, wroteProvider bool // in this turn: its revision of that is an old one since
	// resumed is where a stalled operator goes on: until then it works on a copy of the world as it was,
	// from then on in the world as it is.
	resumed *World
	awake   bool
}

// effect runs do as one effect, unless a fault befalls it.
func (o *operator) effect(do func(*World) error) error {
	if o.dead {
		return errKilled
	}
	o.effects++
	if o.effects != o.fault.effect {
		return do(o.world)
	}
	switch {
	case o.resumed != nil:
		o.world, o.awake = o.resumed, true
		return do(o.world)
	case o.fault.kind == killedAfter:
		o.dead = true
		_ = do(o.world)
		return errKilled
	}
	o.dead = true
	return errKilled
}

// writeApp claims a write to the application's Secret, which fails if that has changed since it was read.
func (o *operator) writeApp(w *World) error {
	if o.wroteApp || o.awake && w.appMoved {
		return rotation.ErrConflict
	}
	o.wroteApp, w.appMoved = true, true
	return nil
}

// writeRecord is writeApp for the record Secret.
func (o *operator) writeRecord(w *World) error {
	if o.wroteRecord || o.awake && w.recordMoved {
		return rotation.ErrConflict
	}
	o.wroteRecord, w.recordMoved = true, true
	return nil
}

// Load reads both Secrets. Reads are consistent: a stale one could only come from a cache, and there is none.
func (o *operator) Load(context.Context) (rotation.Record, error) {
	if o.dead {
		return rotation.Record{}, errKilled
	}
	return o.world.record(), nil
}

func (w *World) record() rotation.Record {
	r := rotation.Record{
		Intent: w.intent.record(), High: rotation.Version(w.high),
		Live: map[rotation.Version]rotation.Credential{}, Gone: map[rotation.Version]rotation.Tombstone{},
		Marks: map[string]time.Time{},
	}
	r.Current, r.Edited = w.credential(w.active()), w.tenant.held != own
	if r.Edited {
		r.Current = w.tenant.held.credential(0)
	}
	for v := uint8(1); v < maxVersions; v++ {
		if w.live&(1<<v) != 0 {
			r.Live[rotation.Version(v)] = w.credential(v)
		}
		if w.ever&(1<<v) != 0 {
			r.Saved = rotation.Version(v)
		}
		if w.gone[v] != 0 {
			r.Gone[rotation.Version(v)] = rotation.Tombstone{ID: w.credential(v).ID, Attempt: int(w.gone[v]), At: now().Add(-epoch)}
		}
	}
	if _, known := r.Live[r.Current.V]; !known {
		r.Current.V = 0
	}
	if w.provider.is {
		w.fill(&r)
	}
	for n := uint8(1); n <= w.edition && !w.provider.is; n++ {
		r.Editions = append(r.Editions, rotation.Edition{N: int(n), View: w.views[n].record(), Written: written(n)})
	}
	if w.quarantined != unset {
		r.Marks[rotation.MarkQuarantined] = w.quarantined.time()
	}
	if w.idle != unset {
		r.Marks[rotation.MarkIdle] = w.idle.time()
	}
	if w.ended != unset {
		r.Marks[rotation.MarkEnded] = w.ended.time()
	}
	return r
}

func (v view) record() rotation.View {
	r := rotation.View{Active: rotation.Version(v.active)}
	for x := uint8(1); x < maxVersions; x++ {
		if v.accept&(1<<x) != 0 {
			r.Accept = append(r.Accept, rotation.Version(x))
		}
	}
	return r
}

func viewOf(r rotation.View) view {
	v := view{active: uint8(r.Active)}
	for _, x := range r.Accept {
		v.accept |= 1 << x
	}
	return v
}

func credential(v uint8) rotation.Credential {
	id := "login_v" + strconv.Itoa(int(v))
	return rotation.Credential{V: rotation.Version(v), ID: id, Value: rotation.NewSecret([]byte(id))}
}

// Stage saves a value in the record Secret.
func (o *operator) Stage(_ context.Context, _ string, c rotation.Credential) error {
	return o.effect(func(w *World) error {
		if err := o.writeRecord(w); err != nil {
			return err
		}
		bit := uint16(1) << c.V
		if w.ever&bit != 0 {
			return fmt.Errorf("v%d is staged twice", c.V)
		}
		w.ever |= bit
		w.live |= bit
		w.tenant.names[c.V], w.tenant.ownedBy = loginOf(c), w.tenant.ownedBy&^bit
		return nil
	})
}

// Publish writes the application's Secret.
func (o *operator) Publish(_ context.Context, _ string, v rotation.View) error {
	if o.world.provider.is {
		return o.publish(viewOf(v))
	}
	return o.effect(func(w *World) error {
		if err := o.writeApp(w); err != nil {
			return err
		}
		o.taking(w, w.views[w.newest()].accept&^viewOf(v).accept != 0 && !w.told, "what others accept")
		w.edition++
		w.views[w.edition], w.tenant.held = viewOf(v), own
		return nil
	})
}

// Note writes the annotation of the application's Secret.
func (o *operator) Note(_ context.Context, _ string, change func(*rotation.Record)) error {
	after := o.world.record()
	change(&after)
	return o.effect(func(w *World) error {
		if err := o.writeApp(w); err != nil {
			return err
		}
		w.note(after)
		return nil
	})
}

func (w *World) note(r rotation.Record) {
	w.intent = intentOf(*r.Intent)
	w.high = uint8(r.High)
	if w.provider.is && w.provider.noted == 0 && len(r.Editions) > 0 {
		w.provider.note(viewOf(r.Editions[0].View), 1)
	}
	for _, e := range r.Editions {
		if w.provider.is {
			break // begin writes none but the first down: nobody edits a Secret here
		}
		w.edition = max(w.edition, uint8(e.N))
		w.views[e.N] = viewOf(e.View)
	}
	w.quarantined = markOf(r.Marks[rotation.MarkQuarantined])
	w.idle = markOf(r.Marks[rotation.MarkIdle])
	w.ended = markOf(r.Marks[rotation.MarkEnded])
	if w.intent.compromised {
		w.leaked |= (1<<w.intent.to - 1)
	}
}

// Retire writes a tombstone to the application's Secret, then forgets the value in the record Secret.
func (o *operator) Retire(_ context.Context, _ string, v rotation.Version) error {
	err := o.effect(func(w *World) error {
		if err := o.writeApp(w); err != nil {
			return err
		}
		o.taking(w, true, fmt.Sprintf("the value of v%d", v))
		w.gone[v] = w.intent.attempt
		return nil
	})
	if err != nil {
		return err
	}
	return o.effect(func(w *World) error {
		w.live &^= 1 << v
		w.recordMoved = true
		return nil
	})
}

// Plan of a store has nothing to say.
func (o *operator) Plan(context.Context, rotation.Record, rotation.View) ([]string, error) {
	return nil, nil
}

// gate is good or bad.
func (o *operator) gate(context.Context, rotation.Record) (rotation.Item, error) {
	if o.dead {
		return rotation.Item{}, errKilled
	}
	if o.world.ill {
		return rotation.Item{Phase: rotation.Failed}, nil
	}
	return rotation.Item{Phase: rotation.Done}, nil
}

// taking notes that something is taken away while the gate is bad. One who fell asleep after looking could not know.
func (o *operator) taking(w *World, really bool, what string) {
	if really && w.ill && !o.awake && !w.intent.back && !w.intent.compromised {
		w.careless = what + " was taken away while the gate was bad"
	}
}

// Workloads is the one workload, with its pods.
func (o *operator) Workloads(context.Context) ([]rotation.Workload, error) {
	if o.dead {
		return nil, errKilled
	}
	w := o.world
	load := rotation.Workload{Name: "deployment/app", Edition: int(w.template), Desired: int(w.slots), Settled: true}
	for i, s := range w.pods[:w.slots] {
		load.Pods = append(load.Pods, w.pod(s.now, i, false))
		if s.leaving.alive {
			load.Pods = append(load.Pods, w.pod(s.leaving, i+maxSlots, true))
		}
		load.Settled = load.Settled && s.now.label == w.template && !s.leaving.alive
	}
	return []rotation.Workload{load}, nil
}

func (w *World) pod(p pod, i int, leaving bool) rotation.Pod {
	return rotation.Pod{
		Name: strconv.Itoa(i), Edition: int(p.label), Addresses: []string{strconv.Itoa(i)},
		Created: during(p.made), Started: []time.Time{during(p.began)},
		Ready: !leaving, Terminating: leaving, Reloads: w.files,
	}
}

// Move labels the template.
func (o *operator) Move(_ context.Context, _ rotation.Workload, n int) error {
	return o.effect(func(w *World) error {
		w.template = uint8(n)
		return nil
	})
}

// Replace has a pod leave and another made.
func (o *operator) Replace(_ context.Context, _ rotation.Workload, p rotation.Pod) error {
	return o.effect(func(w *World) error {
		i, _ := strconv.Atoi(p.Name)
		if i < maxSlots && !w.pods[i].leaving.alive {
			w.replace(uint8(i), w.newest())
		}
		return nil
	})
}

// cut ends pods, with others made in their places. A crash may come between two of them.
func (o *operator) cut(_ context.Context, _ rotation.Workload, pods []rotation.Pod) error {
	for _, p := range pods {
		err := o.effect(func(w *World) error {
			i, _ := strconv.Atoi(p.Name)
			if i < maxSlots {
				w.replace(uint8(i), w.newest())
			}
			w.pods[i%maxSlots].leaving = pod{}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sessions came of the versions that were in use.
type sessions struct{ *operator }

var _ rotation.Aftermath = sessions{}

// Look has nothing to say.
func (sessions) Look(context.Context) ([]string, error) { return nil, nil }

// Warning has nothing to say.
func (sessions) Warning() string { return "" }

// End ends them. While a pod accepts what has leaked, others can be opened, and what was revoked comes back. One who fell
// asleep after looking could not know.
func (s sessions) End(context.Context) (string, error) {
	return "ended", s.effect(func(w *World) error {
		if !s.awake && w.exposed() {
			w.careless = "sessions were ended while a pod accepted what has leaked"
		}
		return nil
	})
}
