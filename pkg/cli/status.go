package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/lease"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// statusFlags are the flags of status.
type statusFlags struct {
	output    string
	noHeaders bool
	via       string
}

func statusCommand(g *global) *cobra.Command {
	var f statusFlags
	c := &cobra.Command{
		Use:   "status [TARGET]",
		Short: "Show how every target stands, or survey one at its server too",
		Long: `Show how every target stands: its version, its age, when it is due, and what is under way. This is read from the
cluster's records alone, and fast; what was not looked at is called recorded.

With a TARGET, every step of its checklist is looked at now: at the server, in the Secret, at each pod.`,
		Example: `  kubectl rotate status
  kubectl rotate status postgres -n shop
  kubectl rotate status -o json`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			format, err := report.ParseFormat(f.output)
			if err != nil {
				return usageError{err}
			}
			return g.status(c.Context(), args, f, format)
		},
	}
	c.Flags().StringVarP(&f.output, "output", "o", "", "wide, json, yaml, name, or nothing for a table")
	c.Flags().BoolVar(&f.noHeaders, "no-headers", false, "leave out the table's header")
	c.Flags().StringVar(&f.via, "via", string(kube.ViaAuto), "the way to the server: auto, port-forward, exec, direct")
	return c
}

func (g *global) status(ctx context.Context, args []string, f statusFlags, format report.Format) error {
	clients, err := g.connect()
	if err != nil {
		return err
	}
	found, err := g.targets(ctx, clients)
	if err != nil {
		return err
	}
	list := report.Listing{
		Style: g.style(), Format: format, NoHeaders: f.noHeaders, Now: time.Now(),
	}
	if len(args) == 1 {
		return g.survey(ctx, clients, found, args, f, list)
	}
	all, errs := make([]report.Status, len(found.Targets)), make([]error, len(found.Targets))
	for i, t := range found.Targets {
		all[i], errs[i] = recorded(ctx, clients, t)
	}
	return errors.Join(list.Write(g.Out, all), errors.Join(errs...))
}

// recorded is how a target stands by its record alone. With an error it holds that too.
func recorded(ctx context.Context, clients *kube.Clients, t config.Target) (report.Status, error) {
	s := facts(clients, t)
	s.Recorded = true
	rec, err := engineOf(t.Kind).store(opening{clients: clients, target: t, namespace: s.Namespace}).Load(ctx)
	if err != nil {
		err = clients.Explain(err)
		s.Error = err.Error()
		return s, fmt.Errorf("target %s: %w", t.Name, err)
	}
	stands(&s, rec, t)
	runs(ctx, &s, clients, t)
	return s, nil
}

// runs fills in who is at the target now. Where that cannot be read it stays unknown: nothing else depends on it.
func runs(ctx context.Context, s *report.Status, clients *kube.Clients, t config.Target) {
	l := lease.Lease{
		Leases: clients.Kube.CoordinationV1(), Namespace: s.Namespace, Secret: t.Secret.Name, Me: lease.Me(""), Now: clients.Now,
	}
	r, err := l.Who(ctx)
	s.RunKnown = err == nil
	if r != nil {
		s.Run = &report.Run{By: r.Holder.String(), Doing: string(r.Doing), Since: r.Since, Heard: r.Heard}
	}
}

// facts are what is known of a target without looking at it.
func facts(clients *kube.Clients, t config.Target) report.Status {
	return report.Status{
		Name: t.Name, Kind: string(t.Kind), Namespace: namespaceOf(clients, t), Secret: t.Secret.Name, Owner: t.Owner,
	}
}

// stands fills in what the record says.
func stands(s *report.Status, rec rotation.Record, t config.Target) {
	s.Version, s.ID, s.Rotated = rec.Active(), rec.Current.ID, rec.Latest().Written
	s.Phase = report.PhaseStandby
	if len(rec.Editions) == 0 {
		s.Version = 0
	}
	if !s.Rotated.IsZero() {
		s.Due = s.Rotated.Add(t.Interval.Duration)
		s.Overdue = time.Now().After(s.Due)
	}
	i := rec.Intent
	if rec.Standby() {
		return
	}
	s.Phase = rotation.PhaseOf(rec)
	s.From, s.To, s.Back, s.Compromised, s.By, s.Since = i.From, i.To, i.Back, i.Compromised, i.By, i.At
}

// survey looks at every step of one target.
func (g *global) survey(ctx context.Context, clients *kube.Clients, found config.Config, args []string, f statusFlags, list report.Listing) error {
	t, err := target(found, "", args)
	if err != nil {
		return err
	}
	o, err := g.openTarget(ctx, clients, t, runFlags{via: f.via, wait: true})
	if err != nil {
		return err
	}
	defer o.close()
	rec, steps, states, err := o.Survey(ctx)
	if err != nil {
		return clients.Explain(err)
	}
	s := facts(clients, t)
	stands(&s, rec, t)
	runs(ctx, &s, clients, t)
	s.Steps = report.Steps(steps, states)
	s.Phase, s.Behind, s.BehindKnown = looked(s)
	if o.leftovers != nil {
		if s.Leftovers, err = o.leftovers(ctx, rec); err != nil {
			return clients.Explain(err)
		}
	}
	if list.Format == report.Table {
		_, err := io.WriteString(g.Out, list.Detail(s))
		return err
	}
	return list.Write(g.Out, []report.Status{s})
}

// looked is the phase as a survey found it, and who is behind.
func looked(s report.Status) (phase string, behind []string, known bool) {
	phase = report.PhaseStandby
	for _, step := range s.Steps {
		if step.State == rotation.Done {
			continue
		}
		if phase == report.PhaseStandby {
			phase = step.Name
		}
		if step.Name != rotation.StepRollout && step.Name != rotation.StepDrain {
			continue
		}
		for _, item := range step.Items {
			if item.Phase != rotation.Done {
				behind = append(behind, item.Name)
			}
		}
	}
	return phase, behind, true
}

// namespaceOf is where a target is.
func namespaceOf(clients *kube.Clients, t config.Target) string {
	if t.Namespace != "" {
		return t.Namespace
	}
	return clients.Namespace
}
