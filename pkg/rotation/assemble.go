package rotation

import "time"

// overlap holds the parts that both lists are built from. Each part keeps its own state of one run.
type overlap struct {
	core
	logins
	decision  *decision
	pods      *pods
	prober    *prober   // nil: nobody can be asked
	canaries  *canaries // nil: none can be started
	tries     bool      // one pod tries the target first
	gates     *gates    // nil: there are none
	users     *users
	soaking   *soaking
	counting  *counting // nil: nobody counts
	exposure  *exposure // nil: nothing is reported
	aftermath Aftermath // nil: nothing outlives a compromised value
	lifetime  time.Duration
}

// assemble makes the parts of one rotation.
func assemble(s Setup, i Intent) *overlap {
	if s.Now == nil {
		s.Now = time.Now
	}
	c := core{s.Parts, i, s.Now}
	o := &overlap{core: c, logins: loginsOf(s.System), aftermath: s.Aftermath, lifetime: s.Lifetime}
	skips := skips{s.Store, s.Want.By, s.Now}
	o.decision = &decision{core: c, want: s.Want, gap: o.gap, preflight: s.Preflight, skips: skips}
	o.pods = &pods{core: c, skew: s.Skew, reloads: s.Reloads && !i.Compromised} // an emergency does not wait until pods read the Secret again
	if p, ok := s.System.(Probed); ok {
		o.prober = &prober{core: c, probed: p, pods: o.pods}
	}
	if s.Canary != nil {
		o.canaries = &canaries{core: c, canary: s.Canary}
		// A canary needs a time in which both versions are valid. Nothing delays a rollback or an
		// emergency.
		o.tries = s.TryFirst && !i.Back && !i.Compromised && o.gap == ""
	}
	if len(s.Gates) > 0 && !i.Back { // nothing delays a rollback
		o.gates = &gates{all: s.Gates, leaked: i.Compromised, now: s.Now, skips: skips}
	}
	o.users = &users{core: c, logins: o.logins, pods: o.pods, who: s.Who, window: s.Window, terminate: s.Terminate}
	o.soaking = &soaking{core: c, logins: o.logins, soak: s.Soak, missed: s.Missed, who: s.Who, gates: o.gates, skips: skips}
	if i.Compromised {
		o.answer(s)
	}
	return o
}

// answer adds the parts that only an emergency has.
func (o *overlap) answer(s Setup) {
	since := o.intent.since(s.Asked)
	if s.Cut != nil {
		o.pods.cut = &cutter{core: o.core, cut: s.Cut, skew: s.Skew}
	}
	if s.Exits != nil {
		o.exposure = &exposure{to: o.intent.To, exits: s.Exits, since: since, skew: s.Skew}
	}
	if s.Refused.Count != nil {
		o.counting = &counting{Tally: s.Refused, since: since, now: s.Now}
	}
}

// onTarget is done when every consumer holds the target as the active version, and nothing else. In
// an emergency no pod is asked what it does with the target: the pods are asked once the old
// version is refused.
func (o *overlap) onTarget() spread {
	rollout := spread{
		name: StepRollout, goal: "every pod runs on the new version", section: During, stragglers: true, pods: o.pods, canaries: o.canaries,
		reached: func(rec Record) bool { return rec.Active() == o.intent.To },
		fits:    func(v View) bool { return v.Active == o.intent.To },
	}
	if !o.intent.Compromised {
		rollout.asks = o.prober.asking(func(_ Record, target Credential) Wanted {
			return Wanted{Accept: []Credential{target}, Sign: &target}
		}, false)
	}
	return rollout
}
