package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/checklist"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/history"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kubehistory"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

func historyCommand(g *global) *cobra.Command {
	var output string
	var noHeaders bool
	c := &cobra.Command{
		Use:   "history [TARGET [ATTEMPT]]",
		Short: "Show who rotated what, when, how long each step took, and how it ended",
		Long: fmt.Sprintf(`Show who rotated what, when, how long each step took, and how it ended: of every target, of one, or the whole story of
one rotation.

Each run writes down what it does while it does it, in ConfigMap NAME-rotate-history beside Secret NAME: the last %d
rotations, without any value. A rotation that was continued from elsewhere has the names of all who worked at it.`, history.Most),
		Example: `  kubectl rotate history
  kubectl rotate history postgres -o wide
  kubectl rotate history postgres 7           # the story of its seventh attempt
  kubectl rotate history -o json`,
		Args: usage(cobra.MaximumNArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			format, err := report.ParseFormat(output)
			if err != nil {
				return usageError{err}
			}
			list := report.Listing{Style: g.style(), Format: format, NoHeaders: noHeaders, Now: time.Now()}
			return g.history(c.Context(), args, list)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "wide, json, yaml, name, jsonpath=TEMPLATE, or nothing for a table")
	c.Flags().BoolVar(&noHeaders, "no-headers", false, "leave out the table's header")
	return c
}

func (g *global) history(ctx context.Context, args []string, list report.Listing) error {
	attempt := 0
	if len(args) == 2 {
		var err error
		if attempt, err = strconv.Atoi(args[1]); err != nil || attempt < 1 {
			return usageError{fmt.Errorf("attempt %q: want a number from 1 on, as the history shows it", args[1])}
		}
		args = args[:1]
	}
	clients, err := g.connect()
	if err != nil {
		return err
	}
	found, _, err := g.targets(ctx, clients)
	if err != nil {
		return err
	}
	targets, err := targetsNamed(found, args)
	if err != nil {
		return err
	}
	var all []history.Story
	var errs []error
	for _, t := range targets {
		stories, err := storiesOf(ctx, clients, t)
		all, errs = append(all, stories...), append(errs, err)
	}
	if attempt > 0 && errors.Join(errs...) == nil {
		return g.story(all, targets[0], attempt, list)
	}
	return errors.Join(list.WriteHistory(g.Out, all), errors.Join(errs...))
}

// story shows one attempt in full.
func (g *global) story(all []history.Story, t config.Target, attempt int, list report.Listing) error {
	all = slices.DeleteFunc(all, func(s history.Story) bool { return s.Attempt != attempt })
	if len(all) == 0 {
		return usageError{rotation.WithHint(fmt.Errorf("the history of %s has no attempt %d", t.Name, attempt),
			"see which there are with `"+rotation.Command("kubectl", "rotate", "history", t.Name)+"`")}
	}
	if list.Format != report.Table && list.Format != report.Wide {
		return list.WriteHistory(g.Out, all)
	}
	for _, s := range all {
		if err := list.WriteStory(g.Out, s); err != nil {
			return err
		}
	}
	return nil
}

// storiesOf is the history of a target, read together with how its record stands.
func storiesOf(ctx context.Context, clients *kube.Clients, t config.Target) ([]history.Story, error) {
	namespace := clients.NamespaceOr(t.Namespace)
	entries, err := historyOf(clients, t, namespace).Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("target %s: %w", t.Name, clients.Explain(err))
	}
	if len(entries) == 0 {
		return nil, nil
	}
	var now history.Now // where the record cannot be read, the history alone has to tell
	rec, err := wiring.StoreOf(clients, t, namespace).Load(ctx)
	if err == nil && rec.Intent != nil {
		now = history.Now{Attempt: rec.Intent.Attempt, Standby: rec.Standby()}
	}
	stories := history.Tell(entries, now)
	for i := range stories {
		stories[i].Namespace = namespace
	}
	return stories, nil
}

// usually is how long each step usually takes, as far as there is a history that can be read.
func usually(ctx context.Context, o *wiring.Opened, back bool) map[string]time.Duration {
	entries, err := historyOf(o.Clients, o.Config, o.Namespace).Load(ctx)
	if err != nil {
		return nil
	}
	return history.Expected(history.Tell(entries, history.Now{}), back)
}

// historyOf is where the history of a target is kept.
func historyOf(clients *kube.Clients, t config.Target, namespace string) *kubehistory.Store {
	return &kubehistory.Store{ConfigMaps: clients.Kube.CoreV1(), Namespace: namespace, Secret: t.Secret.Name}
}

// kept is front with all that happens written down in the history too. ended is called with how the run ended.
func (g *global) kept(o *wiring.Opened, front frontend) (_ frontend, ended func(context.Context, rotation.Result, error)) {
	k := kubehistory.Keep(historyOf(o.Clients, o.Config, o.Namespace), o.Operator, o.Config.Tells(config.OutputHistory), o.Now, func(err error) {
		g.say("note: %v; the rotation goes on without", o.Clients.Explain(err))
	})
	shown := front
	front.emit = func(e rotation.Event) {
		shown.emit(e)
		k.Emit(e)
	}
	front.consent = func(ctx context.Context, q rotation.Question) error {
		err := shown.consent(ctx, q)
		if err == nil {
			k.Agreed(q)
		}
		return err
	}
	return front, func(ctx context.Context, r rotation.Result, err error) {
		if left(ctx, err) {
			r.Outcome, err = rotation.UnderWay, nil
		}
		k.Close(ctx, r.Outcome, err)
	}
}

// left says whether a run was ended by whoever made it, with nothing wrong.
func left(ctx context.Context, err error) bool {
	return err != nil && ctx.Err() != nil ||
		errors.Is(err, checklist.ErrLeft) || errors.Is(err, checklist.ErrInterrupted) || errors.Is(err, rotation.ErrConsent)
}
