package rotation

import (
	"context"
	"fmt"
	"slices"
)

// acceptor is a rotation whose system is told by us what to accept.
type acceptor struct {
	*overlap
	server Server
}

// list is its checklist. Where the server keeps one value at a time ([Single]), the server refuses
// the old value from install on: waiting for its users would protect nobody.
func (a *acceptor) list() []Step {
	list := []Step{a.decision.begin(), a.stage(), a.install()}
	if a.tries {
		list = append(list, a.canaries.step())
	}
	list = append(list, a.activate().step())
	if a.pods.cut != nil {
		return append(list, a.revoke(), a.rollout().step(), a.retire())
	}
	list = append(list, a.rollout().step())
	if a.gates != nil {
		list = append(list, a.gates.verify())
	}
	if a.drains() {
		list = append(list, a.users.drain())
	}
	list = append(list, a.revoke())
	if !a.intent.Compromised {
		list = append(list, a.soaking.step())
	}
	return append(list, a.retire())
}

// drains says whether the users of the other versions are waited for.
func (a *acceptor) drains() bool { return !a.intent.Compromised && a.gap == "" }

// rollout has every pod hold the target. While the last old pods end, it already looks for users of
// the other versions.
func (a *acceptor) rollout() spread {
	rollout := a.onTarget()
	if a.drains() {
		rollout.ending = a.users.glimpse
	}
	return rollout
}

// activate publishes the target alone: the server still accepts the other versions.
func (a *acceptor) activate() activation {
	step := activation{core: a.core, view: func(Record) View { return only(a.intent.To) }}
	if a.gap == "" { // else install has looked
		step.well = a.ready(a.stillKnown)
	}
	return step
}

// stillKnown is true: what the server accepts does not depend on which edition a pod holds.
func (*acceptor) stillKnown([]Edition) bool { return true }

// cutWarning is what the operator has to know before agreeing to end pods at once.
func (a *acceptor) cutWarning() string {
	return "; the server refuses it before the pods have the new one, and all of them are ended at once: an outage until new ones are ready"
}

// install has the target accepted at every place, beside the others.
func (a *acceptor) install() Step {
	step := Step{
		Name:    StepInstall,
		Goal:    "the server accepts the new version, everywhere",
		Section: During,
		Reached: staged,
		Check: func(ctx context.Context, rec Record) (State, error) {
			t, ok := rec.Target()
			if !ok {
				return State{}, fmt.Errorf("%v has no value on record", a.intent.To)
			}
			return a.standing(ctx, t, Accepts)
		},
		Apply: func(ctx context.Context, rec Record) error {
			t, ok := rec.Target()
			if !ok {
				return fmt.Errorf("%v has no value on record", a.intent.To)
			}
			return a.server.Install(ctx, a.fence, t)
		},
		Plan: a.plan(EffectInstall),
	}
	if a.gap != "" {
		step.Guard = a.ready(a.stillKnown) // what would hold activate up must not do so within the gap
	}
	return step
}

// standing is done when every place treats c in one of the wanted ways. No place at all is no
// proof.
func (a *acceptor) standing(ctx context.Context, c Credential, wanted ...Status) (State, error) {
	places, err := a.server.Standing(ctx, c)
	if err != nil {
		return State{}, err
	}
	if len(places) == 0 {
		return State{}, fmt.Errorf("the server named no place where %s could be accepted", c.ID)
	}
	s := State{Phase: Done}
	for _, p := range places {
		phase := judge(p.Status, wanted)
		s.worsen(phase != Done, phase)
		s.Items = append(s.Items, Item{Name: p.Where, Phase: phase, Note: p.note(), Consent: doubtOf(phase, wanted)})
		if s.Note == "" || phase == s.Phase {
			s.Note = fmt.Sprintf("%s: %s", c.ID, p.note())
		}
	}
	if len(places) > 1 && s.Phase == Done {
		s.Note = fmt.Sprintf("%s, at %d places", s.Note, len(places))
	}
	return s, nil
}

// doubtOf is the kind of consent that a place takes which could not be proven to be in one of the
// wanted ways.
func doubtOf(phase Phase, wanted []Status) string {
	switch {
	case phase != Doubtful:
		return ""
	case slices.Contains(wanted, Accepts):
		return ConsentUnproven
	}
	return ConsentUnrefused
}

// judge is the phase that a status means where wanted are the ones to reach.
func judge(got Status, wanted []Status) Phase {
	for _, w := range wanted {
		if got == w {
			return Done
		}
	}
	switch got {
	case Unknown, Refused:
		return Waiting
	case Unproven:
		return Doubtful
	}
	return ToDo
}

// plan says what e would do to the target, or to the other versions.
func (a *acceptor) plan(e Effect) func(context.Context, Record) ([]string, error) {
	return func(ctx context.Context, rec Record) (lines []string, err error) {
		cs := rec.Others()
		if e == EffectInstall {
			t, _ := rec.Target()
			cs = []Credential{t}
		}
		for _, c := range cs {
			more, err := a.server.Plan(ctx, e, c)
			if err != nil {
				return nil, err
			}
			lines = append(lines, more...)
		}
		return lines, nil
	}
}

// revoke has every other version refused everywhere, and its sessions ended.
func (a *acceptor) revoke() Step {
	return Step{
		Name:     StepRevoke,
		Section:  After,
		Goal:     "the server refuses the old version, which can still be brought back",
		Check:    a.isRevoked,
		Guard:    a.healthy,
		Apply:    a.quarantine,
		Plan:     a.plan(EffectRevoke),
		Resurvey: true,
	}
}

// isRevoked wants every other version refused at every place, nobody left on it, and, where there
// is something to bring back, the time since when.
func (a *acceptor) isRevoked(ctx context.Context, rec Record) (State, error) {
	all := State{Phase: Done}
	for _, c := range a.apart(rec) {
		s, err := a.isRefused(ctx, rec, c)
		if err != nil {
			return State{}, err
		}
		all.worsen(s.Phase != Done, s.Phase)
		all.Items = append(all.Items, s.Items...)
	}
	all.Note = fmt.Sprintf("%s refused", ids(a.apart(rec)))
	if all.Phase != Done {
		all.Note = fmt.Sprintf("%s not refused yet", ids(a.apart(rec)))
	}
	return all, nil
}

func (a *acceptor) isRefused(ctx context.Context, rec Record, c Credential) (State, error) {
	s, err := a.standing(ctx, a.bare(c), Quarantined, Absent)
	if err != nil {
		return State{}, err
	}
	if err := a.isUnused(ctx, c, &s); err != nil {
		return State{}, err
	}
	_, live := rec.Live[c.V]
	s.worsen(live && a.mark(rec, MarkQuarantined).IsZero(), ToDo)
	return s, nil
}

// isUnused wants no session of c. Where all versions have one name a session does not show which of
// them opened it, and one that is open stays: that was agreed to with the gap, or at drain.
func (a *acceptor) isUnused(ctx context.Context, c Credential, s *State) error {
	if a.oneID {
		return nil
	}
	use, err := a.server.InUse(ctx, c)
	if err != nil {
		return fmt.Errorf("who uses %s: %w", c.ID, err)
	}
	if !use.Known {
		s.worsen(true, Doubtful)
		s.Items = append(s.Items, Item{Name: c.ID, Phase: Doubtful, Note: a.untold, Consent: ConsentUsers})
	}
	s.worsen(len(use.Silent) > 0, Waiting)
	s.worsen(len(use.Sessions) > 0, ToDo)
	return nil
}

func (a *acceptor) quarantine(ctx context.Context, rec Record) error {
	for _, c := range a.apart(rec) {
		s, err := a.standing(ctx, a.bare(c), Absent)
		if err != nil {
			return err
		}
		if s.Phase == Done {
			continue
		}
		if err := a.server.Revoke(ctx, a.fence, c); err != nil {
			return err
		}
	}
	return a.noteMark(ctx, rec, MarkQuarantined)
}

// retire removes the other versions from the server and forgets their values: from here there is no
// way back.
func (a *acceptor) retire() Step {
	return Step{
		Name:    StepRetire,
		Section: After,
		Reached: erasing,
		Goal:    "the old version is gone, from the server and from the record",
		Check: func(ctx context.Context, rec Record) (State, error) {
			s, err := a.isRetired(ctx, rec)
			if err != nil {
				return s, err
			}
			return a.counting.check(ctx, s)
		},
		Apply: a.erase,
		Plan: func(ctx context.Context, rec Record) ([]string, error) {
			lines, err := a.plan(EffectErase)(ctx, rec)
			return a.counting.plan(lines), err
		},
		Resurvey: true,
		Final:    !a.intent.Compromised, // then there never was one
	}
}

// erasing says whether a version was erased after all of them had been refused.
func erasing(rec Record) bool {
	refused := rec.Marks[MarkQuarantined]
	return !refused.IsZero() && rec.Finished().After(refused)
}

func (a *acceptor) isRetired(ctx context.Context, rec Record) (State, error) {
	all := State{Phase: Done, Note: fmt.Sprintf("%s gone", ids(rec.Others()))}
	for _, c := range rec.Others() {
		s := State{Phase: Done}
		if !a.shares(rec, c) {
			var err error
			if s, err = a.standing(ctx, a.bare(c), Absent); err != nil {
				return State{}, err
			}
		}
		_, live := rec.Live[c.V]
		s.worsen(live, ToDo)
		all.worsen(s.Phase != Done, s.Phase)
		all.Items = append(all.Items, s.Items...)
	}
	if a.left != "" {
		all.Note += "; " + a.left
	}
	if all.Phase != Done {
		all.Note = fmt.Sprintf("%s still there", ids(rec.Others()))
	}
	return all, nil
}

// erase takes one version at a time: first from the server, then from the record, so that no value
// is forgotten that a server still accepts.
func (a *acceptor) erase(ctx context.Context, rec Record) error {
	for _, c := range rec.Others() {
		if err := a.eraseAt(ctx, rec, c); err != nil {
			return err
		}
		if _, live := rec.Live[c.V]; live {
			return a.Store.Retire(ctx, rec.Revision, c.V)
		}
	}
	return nil
}

// eraseAt has the server forget c, unless it is forgotten there, or its name is the target's.
func (a *acceptor) eraseAt(ctx context.Context, rec Record, c Credential) error {
	if a.shares(rec, c) {
		return nil
	}
	s, err := a.standing(ctx, a.bare(c), Absent)
	_, live := rec.Live[c.V]
	if err != nil || s.Phase == Done && !live {
		return err
	}
	return a.server.Erase(ctx, a.fence, c)
}
