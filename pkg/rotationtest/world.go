package rotationtest

import (
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// The size of a world. Editions and versions are bounded by the number of decisions that a search allows.
const (
	maxVersions = 8
	maxEditions = 14
	maxSlots    = 2
	nodes       = 2
)

// mark is how long ago a mark was set.
type mark uint8

const (
	unset mark = iota
	fresh      // not long enough ago for any wait to be over
	old        // long enough ago for every wait to be over
)

// intent is a rotation.Intent that can be compared.
type intent struct {
	set, back, compromised bool
	to, from, attempt      uint8
}

// view is a rotation.View that can be compared; bit v of accept stands for version v.
type view struct {
	active uint8
	accept uint16
}

// pod is a live pod: what its label says, and which editions were current when it was made and when its container
// last started. holds is what its container was really handed, which a kubelet may have taken from a cache.
type pod struct {
	alive              bool
	label, made, began uint8
	holds              uint8
}

// slot is one of the pods that the workload wants, and the terminating one that it takes the place of.
type slot struct{ now, leaving pod }

// World is one target and all around it. It can be compared and copied by assignment, so that a search can
// keep the states it has seen.
type World struct {
	told  bool // the system is told what to accept; else its verifiers read the Secret
	one   bool // and keeps one version at a time
	slots uint8
	stale bool // kubelets may hand a new pod the edition before the newest
	files bool // pods read a volume again while they run

	at [nodes][maxVersions]uint8 // how each node treats each version

	// the record Secret
	live uint16 // versions whose value is saved
	ever uint16 // versions that were ever staged

	// the application's Secret
	gone        [maxVersions]uint8 // tombstones: the attempt under which a version was retired
	intent      intent
	high        uint8
	edition     uint8 // the number of the newest; 0 before the first rotation
	views       [maxEditions]view
	quarantined mark
	idle        mark
	ended       mark // when what came of a leaked version was ended

	// the consumers
	template uint8 // the label of the pods' template
	pods     [maxSlots]slot
	outside  uint8  // the version that a client outside the cluster holds, with a session open
	tokens   uint16 // versions under which something was issued that is still valid

	watched bool // there is a gate
	ill     bool // and it is bad now

	leaked uint16 // versions that a decision has called compromised

	tenant tenancy

	provider provider
	omits    omission

	careless string // what was taken away although the gate was bad, or ended too early

	// what was written since the stalled operator last looked: the Secrets, and the provider of an asynchronous world
	appMoved, recordMoved, providerMoved bool
}

const (
	absent uint8 = iota
	accepts
	quarantined
)

// newWorld is a target that was never rotated: version 1 is in use everywhere.
func newWorld(b Bounds) World {
	told, slots := b.Told, uint8(b.Pods)
	w := World{told: told, one: b.Single, slots: slots, stale: b.Stale, files: b.Reloads, outside: 1, watched: b.Gate}
	for n := range w.at {
		if told {
			w.at[n][1] = accepts
		}
	}
	for i := range w.pods[:slots] {
		w.pods[i].now = pod{alive: true, made: 0, began: 1, holds: 1}
	}
	w.tenant = tenancy{may: uint8(b.Tenant), others: [2]uint8{accepts, accepts}}
	w.views[1] = view{active: 1, accept: 1 << 1}
	if b.Async {
		w.provider, w.omits = newProvider(w.views[1]), b.Omits
	}
	w.issue()
	return w
}

// newest is the number of the edition that the application's Secret holds.
func (w *World) newest() uint8 { return max(w.edition, 1) }

// active is the version that the application's Secret says to use.
func (w *World) active() uint8 { return w.views[w.newest()].active }

// everyPod calls f with each live pod, the terminating ones too.
func (w *World) everyPod(f func(*pod)) {
	for i := range w.pods[:w.slots] {
		for _, p := range []*pod{&w.pods[i].now, &w.pods[i].leaving} {
			if p.alive {
				f(p)
			}
		}
	}
}

// issue has every pod sign something with the key that it holds as active.
func (w *World) issue() {
	if !w.told {
		w.everyPod(func(p *pod) { w.tokens |= 1 << w.views[p.holds].active })
	}
}

// violation says what is wrong with the world as it is; "" when nothing is.
func (w *World) violation() string {
	if wrong := w.tenant.violation(); wrong != "" || w.tenant.tampered {
		return wrong // who changes the record may harm the target, and nobody else
	}
	switch {
	case w.careless != "":
		return w.careless
	case w.one && !w.finished():
		// a gap was agreed to; what is to hold is that it ends
	case w.told:
		if v := w.refusedAtServer(); v != "" {
			return v
		}
	default:
		if v := w.refusedAtPod(); v != "" {
			return v
		}
	}
	return w.lost()
}

// refusedAtServer looks for a consumer that holds what a node refuses.
func (w *World) refusedAtServer() (found string) {
	check := func(who string, v uint8) {
		for n := range w.at {
			if w.at[n][v] != accepts && w.leaked&(1<<v) == 0 {
				found = fmt.Sprintf("%s holds v%d, which node %d refuses", who, v, n)
			}
		}
	}
	w.everyPod(func(p *pod) { check("a pod", w.views[p.holds].active) })
	if !w.one { // with one version at a time it has been refused since install, and reads the Secret again
		check("the client outside", w.outside)
	}
	return found
}

// refusedAtPod looks for something valid that a verifier refuses. An emergency gives this up until it is over.
func (w *World) refusedAtPod() (found string) {
	if w.intent.compromised {
		return ""
	}
	w.everyPod(func(p *pod) {
		if refused := w.tokens &^ w.views[p.holds].accept &^ w.leaked; refused != 0 {
			found = fmt.Sprintf("a pod that knows %b refuses what was issued under %b", w.views[p.holds].accept, refused)
		}
	})
	return found
}

// exposed says whether a pod still accepts a version that has leaked.
func (w *World) exposed() (is bool) {
	w.everyPod(func(p *pod) { is = is || w.views[p.holds].accept&w.leaked != 0 })
	return is
}

// lost looks for a version that is in use and whose value nobody has.
func (w *World) lost() string {
	for v := uint8(1); v < maxVersions; v++ {
		saved := w.live&(1<<v) != 0
		for n := range w.at {
			if w.at[n][v] == absent || saved {
				continue
			}
			if v != 1 || w.gone[v] != 0 || w.active() != 1 {
				return fmt.Sprintf("node %d knows v%d, whose value is not on record", n, v)
			}
		}
	}
	if missing := w.views[w.newest()].accept &^ w.live; w.edition > 1 && missing != 0 {
		return fmt.Sprintf("the Secret holds %b, whose values are not on record", missing)
	}
	if missing := w.provider.view.accept &^ w.live; w.provider.stamp > 0 && w.provider.view.active != 1 && missing != 0 {
		return fmt.Sprintf("the provider holds %b, whose values are not on record", missing)
	}
	return ""
}

// finished says whether nothing is pending and nothing is left over.
func (w *World) finished() bool {
	if w.live != 1<<w.intent.to || w.active() != w.intent.to {
		return false
	}
	if w.provider.is && w.provider.view != w.views[w.newest()] {
		return false
	}
	for v := uint8(1); v < maxVersions; v++ {
		for n := range w.at {
			if w.told && v == w.intent.to && w.at[n][v] != accepts || v != w.intent.to && w.at[n][v] != absent {
				return false
			}
		}
	}
	return w.told || w.views[w.newest()].accept == 1<<w.intent.to
}

// record is the rotation.Intent of i.
func (i intent) record() *rotation.Intent {
	if !i.set {
		return nil
	}
	return &rotation.Intent{
		To: rotation.Version(i.to), From: rotation.Version(i.from), Attempt: int(i.attempt),
		Back: i.back, Compromised: i.compromised,
	}
}

// intentOf is what a world keeps of r.
func intentOf(r rotation.Intent) intent {
	return intent{
		set: true, to: uint8(r.To), from: uint8(r.From), attempt: uint8(r.Attempt),
		back: r.Back, compromised: r.Compromised,
	}
}
