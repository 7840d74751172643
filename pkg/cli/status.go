package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/lease"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// statusFlags are the flags of status.
type statusFlags struct {
	output    string
	noHeaders bool
	via       string
	all       bool
	selector  string
	watch     bool
	check     bool

	format   report.Format
	selected labels.Selector
}

func statusCommand(g *global) *cobra.Command {
	var f statusFlags
	c := &cobra.Command{
		Use:   "status [TARGET]",
		Short: "Show how every target stands, or survey one at its server too",
		Long: `Show how every target stands: its version, its age, when it is due, and what is under way. This is read from the
cluster's records alone, without a value, and fast; what was not looked at is called recorded.

With a TARGET, every step of its checklist is looked at now: at the server, in the Secret, at each pod. With -o timeline
that is a handover, to be pasted into an incident's channel: what is proven, what is not, who is in the way, the next command.

A rotation is stuck if nobody has been at it for 15 minutes, or nothing came of it for an hour. A target is overdue once its
credential is older than its interval.`,
		Example: `  kubectl rotate status
  kubectl rotate status -A --check           # everything that was ever rotated; exit code 5 if something needs somebody
  kubectl rotate status postgres -n shop
  kubectl rotate status postgres -o timeline
  kubectl rotate status -w                   # until nothing is under way
  kubectl rotate status -o json`,
		Args: usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.settle(args); err != nil {
				return usageError{err}
			}
			return g.status(c.Context(), args, f)
		},
	}
	fs := c.Flags()
	fs.StringVarP(&f.output, "output", "o", "", "wide, json, yaml, name, jsonpath=TEMPLATE, timeline for one TARGET, or nothing for a table")
	fs.BoolVar(&f.noHeaders, "no-headers", false, "leave out the table's header")
	fs.StringVar(&f.via, "via", string(kube.ViaAuto), "the way to the server: auto, port-forward, exec, direct")
	fs.BoolVarP(&f.all, "all-namespaces", "A", false, "every Secret in the cluster that was ever rotated, beside the targets of the configuration")
	fs.StringVarP(&f.selector, "selector", "l", "", "only targets whose Secret has these labels, as kubectl's own: team=orders,tier!=test")
	fs.BoolVarP(&f.watch, "watch", "w", false, "look again and again until nothing is under way")
	fs.BoolVar(&f.check, "check", false, "exit with code 5 if a target is overdue or stuck")
	return c
}

// settle reads the flags' values, and refuses what cannot be meant before any cluster is contacted.
func (f *statusFlags) settle(args []string) (err error) {
	if f.format, err = report.ParseFormat(f.output); err != nil {
		return err
	}
	if f.selected, err = labels.Parse(f.selector); err != nil {
		return fmt.Errorf("--selector: %w", err)
	}
	switch {
	case len(args) == 1 && (f.all || f.selector != ""):
		return errors.New("a TARGET is one target: leave out -A and -l")
	case len(args) == 0 && f.format == report.Timeline:
		return errors.New("-o timeline is about one target: name it")
	case f.watch && !f.people():
		return fmt.Errorf("-w shows a table, and no %s", f.output)
	}
	return nil
}

// people says whether the output is for people.
func (f statusFlags) people() bool {
	return f.format == report.Table || f.format == report.Wide || f.format == report.Timeline
}

// status looks once, or until nothing is under way.
func (g *global) status(ctx context.Context, args []string, f statusFlags) error {
	clients, err := g.connect()
	if err != nil {
		return err
	}
	found, source, err := g.targets(ctx, clients)
	if err != nil {
		return err
	}
	list := report.Listing{Style: g.data(), Format: f.format, NoHeaders: f.noHeaders, AllNamespaces: f.all, Now: clients.Now()}
	v := glances{clients: clients, file: g.config, selector: f.selected, presumed: source.Defaults()}
	if f.people() {
		g.say("configuration: %s", source.Told())
	}
	look := func(ctx context.Context) ([]report.Status, error) { return v.look(ctx, found.Targets, f.all) }
	if len(args) == 1 {
		t, err := target(found, "", args)
		if err != nil {
			return err
		}
		look = func(ctx context.Context) ([]report.Status, error) {
			s, err := g.survey(ctx, clients, t, source, f)
			return []report.Status{s}, err
		}
	}
	show := func(p *report.Printer, all []report.Status) error {
		list.Now = clients.Now()
		return showStatus(p, list, all, len(args) == 1)
	}
	all, err := look(ctx)
	if f.watch && err == nil {
		all, err = g.watch(ctx, all, look, show)
	} else if len(all) > 0 || err == nil {
		err = errors.Join(show(g.Out, all), err)
	}
	return errors.Join(err, g.findings(all, f))
}

// look is a glance at all targets.
func (v glances) look(ctx context.Context, targets []config.Target, everywhere bool) ([]report.Status, error) {
	seen := v.configured(ctx, targets)
	if everywhere {
		var err error
		if seen, err = v.everywhere(ctx, seen); err != nil {
			return nil, err
		}
	}
	return v.statuses(ctx, seen)
}

// showStatus prints what was seen: of one target that was surveyed all there is to say.
func showStatus(p *report.Printer, list report.Listing, all []report.Status, one bool) error {
	switch {
	case !one || list.Format != report.Table && list.Format != report.Timeline || len(all) == 0:
		return list.Write(p, all)
	case list.Format == report.Timeline:
		return report.WriteHandover(p, all[0], list.Now)
	}
	return list.WriteDetail(p, all[0])
}

// findings are what needs somebody: said beside a table, and the exit code of a check.
func (g *global) findings(all []report.Status, f statusFlags) error {
	n := 0
	for _, s := range all {
		if s.Overdue || s.Stuck != "" {
			n++
		}
		if f.format != report.Table && f.format != report.Wide {
			continue
		}
		if s.Overdue {
			g.say("overdue: %s since %s%s", s.Name, s.Due.UTC().Format(time.DateOnly), advised("rotate it with", s.Next))
		}
		if s.Stuck != "" {
			g.say("stuck: %s: %s%s", s.Name, s.Stuck, advised("go on with", s.Next))
		}
	}
	if f.check && n > 0 {
		return attention{fmt.Sprintf("%d of %d targets overdue or stuck", n, len(all))}
	}
	return nil
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
		Name: t.Name, Kind: string(t.Kind), Namespace: wiring.NamespaceOf(clients, t), Secret: t.Secret.Name, Owner: t.Owner,
	}
}

// stands fills in what the record says.
func stands(s *report.Status, rec rotation.Record, t config.Target, now time.Time) {
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
	s.Phase = rotation.PhaseOf(wiring.EngineOf(t.Kind).Outline, rec)
	s.From, s.To, s.Back, s.Compromised, s.By, s.Since = i.From, i.To, i.Back, i.Compromised, i.By, i.At
}

// commands fills in what can be done now.
func commands(s *report.Status, rec rotation.Record, clients *kube.Clients, t config.Target, file string) {
	underWay := s.Phase != report.PhaseStandby
	if !underWay && !s.Overdue {
		return
	}
	line := shellLine{clients, t, s.Namespace, file}
	s.Next = line.goOn(underWay && s.Back, underWay && s.Compromised)
	if _, err := rotation.Decide(rec, rotation.Want{Back: true}); underWay && !s.Back && err == nil {
		s.Undo = line.goOn(true, false)
	}
}

// survey looks at every step of one target.
func (g *global) survey(ctx context.Context, clients *kube.Clients, t config.Target, source config.Source, f statusFlags) (report.Status, error) {
	o, err := g.openTarget(ctx, clients, t, source, wiring.Policy{Via: kube.Via(f.via), Reads: true})
	if err != nil {
		return report.Status{}, err
	}
	defer o.Close()
	rec, steps, states, err := o.Survey(ctx)
	if err != nil {
		return report.Status{}, clients.Explain(err)
	}
	s := facts(clients, t)
	stands(&s, rec, t, clients.Now())
	runs(ctx, &s, clients, t)
	s.Steps = report.Steps(steps, states)
	s.Phase, s.Behind, s.BehindKnown = looked(steps, states)
	s.Stuck = stuck(rec, s, waitOf(t), clients.Now())
	commands(&s, rec, clients, t, o.File)
	times(ctx, &s, rec, clients, t)
	if o.Leftovers != nil {
		if s.Leftovers, err = o.Leftovers(ctx, rec); err != nil {
			return s, clients.Explain(err)
		}
	}
	return s, nil
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
