package rotation

import (
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

// exposure reports how long an emergency took until no pod accepted the compromised value. A nil
// exposure reports nothing.
type exposure struct {
	to    Version
	exits func() []Exit
	since time.Time // when the operator gave the command
	skew  time.Duration

	replaced time.Time // when this run has replaced the value
}

// tell adds how long it took until no pod accepted what has leaked: to the end of the last one that
// knew it, as its kubelet reported it. A pod whose end nobody has reported is named: nothing is
// proven of it.
func (e *exposure) tell(rec Record, s State) State {
	if e == nil || s.Phase != Done {
		return s
	}
	fits := func(v View) bool { return v.Active == e.to && len(v.Accept) <= 1 }
	var last, ready time.Time
	name, old := "", 0
	for _, x := range e.exits() {
		had := knew(x.Pod, rec.Editions) && !e.after(x) && !allFit(MayHold(x.Pod, rec.Editions, e.skew), fits)
		switch {
		case !had && !x.Became.IsZero() && (ready.IsZero() || x.Became.Before(ready)):
			ready = x.Became
		case had && x.Ended.IsZero() && !x.Gone && !x.Unreachable:
			return State{Phase: Waiting, Note: "the end of pod " + x.Name + " is not reported yet", Items: s.Items}
		case had && x.Ended.IsZero():
			s.Items = append(s.Items, Item{Name: "pod/" + x.Name, Phase: Doubtful, Note: "it vanished, and no kubelet has reported its end: what it does is not proven"})
		case had && x.Ended.After(last):
			last, name = x.Ended, x.Name
		}
		if had {
			old++
		}
	}
	text := fmt.Sprintf("; the Secret was replaced within %s", spent(e.since, rec.Latest().Written.Add(time.Second)))
	if !ready.IsZero() {
		text += fmt.Sprintf(", the first new pod was ready within %s", spent(e.since, ready.Add(time.Second)))
	}
	switch {
	case old == 0:
		text += "; when the last pod that accepted the old one ended, this run has not seen"
	case name != "":
		text += fmt.Sprintf(", and the last pod that accepted the old one had ended within %s, at %s UTC (%s, by its kubelet)",
			spent(e.since, last), last.UTC().Format(time.TimeOnly), name)
	}
	s.Note += text
	return s
}

// after says whether a pod was not there yet when this run had replaced the value: what controllers
// make in the place of pods that were ended is often dated with the same second.
func (e *exposure) after(x Exit) bool {
	return !e.replaced.IsZero() && x.Seen.After(e.replaced)
}

// since is when the command was given: for one that goes on with what was decided before, that
// decision.
func (i Intent) since(asked time.Time) time.Time {
	if d := i.At.Sub(asked); !asked.IsZero() && d >= 0 && d < time.Minute {
		return asked
	}
	return i.At
}

// spent is a time in whole seconds, rounded up: kubelets and the API server tell no more.
func spent(from, to time.Time) string {
	d := to.Sub(from)
	return (max(0, d+time.Second-1) / time.Second * time.Second).String()
}
