package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// runFlags are the flags of every run: of a rotation and of the way back.
type runFlags struct {
	dryRun     bool
	yes        bool
	accept     []string
	soak       time.Duration
	timeout    time.Duration
	wait       bool
	stragglers string
	minAge     time.Duration
	again      bool
	canary     bool

	compromised bool
	cut         bool
	flush       bool

	output string
	via    string
	until  string

	soakSet       bool
	canarySet     bool
	stragglersSet bool
	asked         time.Time // when the command was given, by the local clock
}

func (f *runFlags) add(fs *pflag.FlagSet) {
	fs.BoolVar(&f.dryRun, "dry-run", false, "show what would be done, step by step; nothing is written anywhere")
	fs.BoolVar(&f.yes, "yes", false, "agree to every step that asks")
	fs.StringSliceVar(&f.accept, "accept", nil, "agree to go on where --yes is not enough: "+strings.Join(wiring.Consents, ", "))
	fs.DurationVar(&f.soak, "soak", 0, "how long the old version is refused before it is erased (default: the target's, 10m)")
	fs.DurationVar(&f.timeout, "timeout", 5*time.Minute, "how long a step may wait before the run stops with exit code 3; nothing is taken back")
	fs.BoolVar(&f.wait, "wait", true, "wait for rollouts, sessions and times; false does what can be done now")
	fs.StringVar(&f.stragglers, "stragglers", "wait", "sessions of clients that are no known pods: wait for them, or terminate them when the old version is revoked")
	fs.StringVarP(&f.output, "output", "o", "", "text, or json: one event a line (default: a screen where there is a terminal, else text)")
	fs.StringVar(&f.via, "via", string(kube.ViaAuto), "the way to the server: auto, port-forward, exec, direct")
	fs.StringVar(&f.until, "until", "", "stop after this step")
}

// addBegin adds the flags that only matter when a rotation begins.
func (f *runFlags) addBegin(fs *pflag.FlagSet) {
	fs.DurationVar(&f.minAge, "min-age", time.Hour, "a rotation that finished less than this ago counts as done")
	fs.BoolVar(&f.again, "again", false, "rotate even if the last rotation has only just finished")
	fs.BoolVar(&f.canary, "canary", false, "have one more pod of a consumer try the new version first, apart from those that serve (default: in protected contexts)")
}

// addLeak adds the flags that matter when the value in use has leaked.
func (f *runFlags) addLeak(fs *pflag.FlagSet) {
	fs.BoolVar(&f.cut, "cut", false, "end all pods that may hold the leaked value at once: the fastest way, and an outage until new ones are ready")
}

// check refuses what cannot be meant, before any cluster is contacted.
func (f *request) check(s Streams) error {
	one := func(flag, value string, of ...string) error {
		if slices.Contains(of, value) {
			return nil
		}
		return usageError{fmt.Errorf("--%s %q: want one of %s", flag, value, strings.Join(of, ", "))}
	}
	errs := []error{
		one("stragglers", f.stragglers, "wait", "terminate"),
		one("via", f.via, string(kube.ViaAuto), string(kube.ViaPortForward), string(kube.ViaExec), string(kube.ViaDirect)),
	}
	if f.output != "" {
		errs = append(errs, one("output", f.output, "text", "json"))
	}
	for _, kind := range f.accept {
		errs = append(errs, one("accept", kind, wiring.Consents...))
	}
	if f.until != "" {
		errs = append(errs, one("until", f.until, wiring.StepsOf(f.kind)...))
	}
	if f.cut && !f.compromised {
		errs = append(errs, usageError{errors.New("--cut is for a value that has leaked: it goes with --compromised")})
	}
	if !s.Terminal && !f.yes && !f.dryRun {
		errs = append(errs, usageError{rotation.WithHint(
			errors.New("there is no terminal to ask on, and --yes was not given: nothing was changed"),
			"agree beforehand with --yes, or look first with --dry-run")})
	}
	return errors.Join(errs...)
}

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

// request is a run that was asked for.
type request struct {
	runFlags
	kind config.Kind // "" where the target may be of any
	args []string
	back bool
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
