package status

import (
	"context"
	"slices"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kubehistory"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/lease"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Look is a glance at all targets.
func (v Viewer) Look(ctx context.Context, targets []config.Target, everywhere bool) ([]report.Status, error) {
	seen := v.configured(ctx, targets)
	if everywhere {
		var err error
		if seen, err = v.everywhere(ctx, seen); err != nil {
			return nil, err
		}
	}
	return v.statuses(ctx, seen)
}

// Survey is how a target stands by a look at every step of its checklist. leftovers may be nil.
func (v Viewer) Survey(ctx context.Context, t config.Target, r *rotation.Rotation,
	leftovers func(context.Context, rotation.Record) ([]string, error)) (report.Status, error) {
	rec, steps, states, err := r.Survey(ctx)
	if err != nil {
		return report.Status{}, v.Clients.Explain(err)
	}
	s := v.facts(t)
	v.stands(&s, rec, t, v.Clients.Now())
	v.runs(ctx, &s, t)
	s.Steps = report.Steps(steps, states)
	s.Phase, s.Behind, s.BehindKnown = looked(steps, states)
	s.Stuck = stuck(rec, s, waitOf(t), v.Clients.Now())
	v.commands(&s, rec, t)
	v.times(ctx, &s, rec, t)
	if leftovers != nil {
		if s.Leftovers, err = leftovers(ctx, rec); err != nil {
			return s, v.Clients.Explain(err)
		}
	}
	return s, nil
}

// runs fills in who is at the target now. Where that cannot be read it stays unknown: nothing else depends on it.
func (v Viewer) runs(ctx context.Context, s *report.Status, t config.Target) {
	l := lease.Lease{
		Leases: v.Clients.Kube.CoordinationV1(), Namespace: s.Namespace, Secret: t.Secret.Name, Me: lease.Me(""), Now: v.Clients.Now,
	}
	r, err := l.Who(ctx)
	s.RunKnown = err == nil
	if r != nil {
		s.Run = &report.Run{By: r.Holder.String(), Doing: string(r.Doing), Since: r.Since, Heard: r.Heard}
	}
}

// facts are what is known of a target without looking at it.
func (v Viewer) facts(t config.Target) report.Status {
	return report.Status{
		Name: t.Name, Kind: string(t.Kind), Namespace: v.Clients.NamespaceOr(t.Namespace), Secret: t.Secret.Name, Owner: t.Owner,
	}
}

// stands fills in what the record says.
func (v Viewer) stands(s *report.Status, rec rotation.Record, t config.Target, now time.Time) {
	s.Version, s.ID, s.Rotated = rec.Active(), rec.Current.ID, rec.Latest().Written
	s.Phase = report.PhaseStandby
	if len(rec.Editions) == 0 {
		s.Version = 0
	}
	if !s.Rotated.IsZero() && t.Interval.Duration > 0 {
		s.Due = s.Rotated.Add(t.Interval.Duration)
		s.Overdue = now.After(s.Due)
	}
	i := rec.Intent
	if rec.Standby() {
		return
	}
	s.Phase = rotation.PhaseOf(v.Outline(t.Kind), rec)
	s.From, s.To, s.Back, s.Compromised, s.By, s.Since = i.From, i.To, i.Back, i.Compromised, i.By, i.At
}

// commands fills in what can be done now.
func (v Viewer) commands(s *report.Status, rec rotation.Record, t config.Target) {
	underWay := s.Phase != report.PhaseStandby
	if !underWay && !s.Overdue {
		return
	}
	s.Next = v.Line(t, s.Namespace, underWay && s.Back, underWay && s.Compromised)
	if _, err := rotation.Decide(rec, rotation.Want{Back: true}); underWay && !s.Back && err == nil {
		s.Undo = v.Line(t, s.Namespace, true, false)
	}
}

// looked is the phase as a survey found it, and who is behind.
func looked(steps []rotation.Step, states []rotation.State) (phase string, behind []string, known bool) {
	phase = report.PhaseStandby
	for i, step := range steps {
		if states[i].Phase == rotation.Done {
			continue
		}
		if phase == report.PhaseStandby {
			phase = step.Name
		}
		if !step.Stragglers {
			continue
		}
		for _, item := range states[i].Items {
			if item.Phase != rotation.Done && !slices.Contains(behind, item.Name) {
				behind = append(behind, item.Name)
			}
		}
	}
	return phase, behind, true
}

// times fills in how long each step has taken and usually takes, as far as there is a history that can be read.
func (v Viewer) times(ctx context.Context, s *report.Status, rec rotation.Record, t config.Target) {
	entries, err := (&kubehistory.Store{ConfigMaps: v.Clients.Kube.CoreV1(), Namespace: s.Namespace, Secret: t.Secret.Name}).Load(ctx)
	if err != nil || rec.Intent == nil {
		return
	}
	stories := history.Tell(entries, history.Now{Attempt: rec.Intent.Attempt, Standby: rec.Standby()})
	usual := history.Expected(stories, rec.Intent.Back)
	for i := range s.Steps {
		s.Steps[i].Usually = history.Of(usual[s.Steps[i].Name])
	}
	for _, story := range stories {
		if story.Attempt != rec.Intent.Attempt || story.To != rec.Intent.To {
			continue
		}
		for i := range s.Steps {
			s.Steps[i].Took = story.Spent(s.Steps[i].Name)
		}
	}
}
