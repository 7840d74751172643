package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/status"
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
	v := status.Viewer{
		Clients: clients, Selector: f.selected, Presumed: source.Defaults(), Known: wiring.HasEngine, Outline: wiring.OutlineOf,
		Store: func(t config.Target, namespace string) rotation.Store { return wiring.StoreOf(clients, t, namespace) },
		Line: func(t config.Target, namespace string, back, compromised bool) string {
			return shellLine{clients, t, namespace, g.config}.goOn(back, compromised)
		},
	}
	if f.people() {
		g.say("configuration: %s", source.Told())
	}
	look := func(ctx context.Context) ([]report.Status, error) { return v.Look(ctx, found.Targets, f.all) }
	if len(args) == 1 {
		t, err := target(found, "", args)
		if err != nil {
			return err
		}
		look = func(ctx context.Context) ([]report.Status, error) {
			s, err := g.survey(ctx, v, t, source, f)
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

// survey looks at every step of one target.
func (g *global) survey(ctx context.Context, v status.Viewer, t config.Target, source config.Source, f statusFlags) (report.Status, error) {
	o, err := g.openTarget(ctx, v.Clients, t, source, wiring.Policy{Via: kube.Via(f.via), Reads: true})
	if err != nil {
		return report.Status{}, err
	}
	defer o.Close()
	return v.Survey(ctx, t, &o.Rotation, o.Leftovers)
}
