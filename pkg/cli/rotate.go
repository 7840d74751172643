package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

func rotateCommand(g *global, e wiring.Engine) *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:     string(e.Kind) + " [TARGET]",
		Short:   e.Short,
		Long:    e.Long,
		Example: e.Example,
		Args:    usage(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			f.soakSet, f.canarySet = c.Flags().Changed("soak"), c.Flags().Changed("canary")
			f.stragglersSet = c.Flags().Changed("stragglers")
			return g.run(c.Context(), request{runFlags: f, kind: e.Kind, args: args})
		},
	}
	f.add(c.Flags())
	f.addBegin(c.Flags())
	c.Flags().BoolVar(&f.compromised, "compromised", false, "the value in use has leaked: replace it at once; nothing waits for its users, and there is no way back")
	f.addLeak(c.Flags())
	return c
}

func abortCommand(g *global) *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "abort TARGET",
		Short: "Take a rotation back, to the version that was in use before",
		Long: `Take a rotation back: the same checklist, towards the version that was in use before.

It can be stopped and run again like a rotation. Where nothing is under way it says so and exits with 0; where the
old version is erased already it is refused.`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			f.soakSet = c.Flags().Changed("soak")
			return g.run(c.Context(), request{runFlags: f, args: args, back: true})
		},
	}
	f.add(c.Flags())
	return c
}

// run opens the target and walks its list.
func (g *global) run(ctx context.Context, q request) error {
	if err := q.check(g.Streams); err != nil {
		return err
	}
	q.asked = time.Now()
	o, err := g.open(ctx, q)
	if err != nil {
		return err
	}
	defer o.Close()
	want := rotation.Want{
		Back: q.back, Compromised: q.compromised, Again: q.again, MinAge: q.minAge, By: o.Operator, StartOver: q.covers(rotation.ConsentLost),
		Until: q.until,
	}
	if q.dryRun {
		if len(o.Lacking) > 0 {
			o.Note("a rotation would be refused, since these permissions are missing:" + wiring.MissingText(o.Lacking))
		}
		return g.plan(ctx, o, want, q.output)
	}
	return g.walk(ctx, o, want, q)
}
