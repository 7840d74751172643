package rotation

import (
	"context"
	"fmt"
	"time"
)

// Exit is what is known of a pod that a run has seen, its end included.
type Exit struct {
	Pod
	Seen   time.Time // when this run saw it first
	Became time.Time // when it was ready for the first time, by its kubelet; zero: never, or not known
	Ended  time.Time // when the last of its containers ended, by its kubelet, to the end of that second; zero: not reported
	Gone   bool      // there is no such pod any more
}

// cuts says whether pods that may hold a leaked value are ended at once, whatever comes in their place.
func (o *overlap) cuts() bool { return o.Cut != nil && o.intent.Compromised }

// cutOff ends every pod of w that may hold what does not fit, all at once and with no time to finish. Each of them once: what a
// kubelet that does not answer makes of it is waited for. Pods that its controller makes in their places before it has seen the
// new template read the new value, and are left to it.
func (o *overlap) cutOff(ctx context.Context, w Workload, editions []Edition, fits func(View) bool) error {
	if !o.cuts() {
		return nil
	}
	var off []Pod
	for _, p := range w.Pods {
		if o.toCut(w, p, editions, fits) {
			off = append(off, p)
		}
	}
	if len(off) == 0 {
		return nil
	}
	began := o.Now()
	if err := o.fence(ctx); err != nil {
		return err
	}
	if err := o.Cut(ctx, w, off); err != nil {
		return fmt.Errorf("ending the pods of %s that may hold the leaked value: %w", w.Name, err)
	}
	if o.off == nil {
		o.off, o.cutAt = map[string]bool{}, map[string]time.Time{}
	}
	for _, p := range off {
		o.off[w.Name+"/"+p.Name] = true
	}
	o.cutAt[w.Name] = began
	return nil
}

func (o *overlap) toCut(w Workload, p Pod, editions []Edition, fits func(View) bool) bool {
	at, before := o.cutAt[w.Name]
	return o.cuts() && !p.Unreachable && !o.off[w.Name+"/"+p.Name] && (!before || p.Created.Before(at.Truncate(time.Second))) &&
		knew(p, editions) && !allFit(MayHold(p, editions, o.Skew), fits)
}

// knew says whether p may have been made before the newest edition was written. The API server dates both, to the second.
func knew(p Pod, editions []Edition) bool {
	if len(editions) == 0 {
		return true
	}
	return !p.Created.After(editions[len(editions)-1].Written)
}

// cutWarning is what is said of that before it is agreed to.
func (o *overlap) cutWarning() string {
	switch _, told := o.System.(Server); {
	case !o.cuts():
		return ""
	case told:
		return "; the server refuses it before the pods have the new one, and all of them are ended at once: an outage until new ones are ready"
	}
	return "; all pods that know it are ended at once, whether or not others can take their place: an outage until new ones are ready"
}

// safe is a rollout that tells how long it took until nobody accepted what has leaked.
func (o *overlap) safe(rollout Step) Step {
	check := rollout.Check
	rollout.Check = func(ctx context.Context, rec Record) (State, error) {
		s, err := check(ctx, rec)
		return o.safety(rec, s), err
	}
	return rollout
}

// safety is how long it took until no pod accepted what has leaked: to the end of the last one that knew it, as its kubelet
// reported it. A pod whose end nobody has reported is named: nothing is proven of it.
func (o *overlap) safety(rec Record, s State) State {
	if !o.intent.Compromised || o.Exits == nil || s.Phase != Done {
		return s
	}
	exits := o.Exits()
	fits := func(v View) bool { return v.Active == o.intent.To && len(v.Accept) <= 1 }
	var last, ready time.Time
	name, old := "", 0
	for _, e := range exits {
		knew := knew(e.Pod, rec.Editions) && !o.after(e) && !allFit(MayHold(e.Pod, rec.Editions, o.Skew), fits)
		switch {
		case !knew && !e.Became.IsZero() && (ready.IsZero() || e.Became.Before(ready)):
			ready = e.Became
		case knew && e.Ended.IsZero() && !e.Gone && !e.Unreachable:
			return State{Phase: Waiting, Note: "the end of pod " + e.Name + " is not reported yet", Items: s.Items}
		case knew && e.Ended.IsZero():
			s.Items = append(s.Items, Item{Name: "pod/" + e.Name, Phase: Doubtful, Note: "it vanished, and no kubelet has reported its end: what it does is not proven"})
		case knew && e.Ended.After(last):
			last, name = e.Ended, e.Name
		}
		if knew {
			old++
		}
	}
	since := o.since()
	text := fmt.Sprintf("; the Secret was replaced within %s", spent(since, rec.Latest().Written.Add(time.Second)))
	if !ready.IsZero() {
		text += fmt.Sprintf(", the first new pod was ready within %s", spent(since, ready.Add(time.Second)))
	}
	switch {
	case old == 0:
		text += "; when the last pod that accepted the old one ended, this run has not seen"
	case name != "":
		text += fmt.Sprintf(", and the last pod that accepted the old one had ended within %s, at %s UTC (%s, by its kubelet)",
			spent(since, last), last.UTC().Format(time.TimeOnly), name)
	}
	s.Note += text
	return s
}

// after says whether a pod was not there yet when this run had replaced the value: what controllers make in the place of pods
// that were ended is often dated with the same second.
func (o *overlap) after(e Exit) bool {
	return !o.madeActive.IsZero() && e.Seen.After(o.madeActive)
}

// since is when the command was given: for one that goes on with what was decided before, that decision.
func (o *overlap) since() time.Time {
	if d := o.intent.At.Sub(o.Asked); !o.Asked.IsZero() && d >= 0 && d < time.Minute {
		return o.Asked
	}
	return o.intent.At
}

// spent is a time in whole seconds, rounded up: kubelets and the API server tell no more.
func spent(from, to time.Time) string {
	d := to.Sub(from)
	return (max(0, d+time.Second-1) / time.Second * time.Second).String()
}
