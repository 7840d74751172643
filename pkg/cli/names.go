package cli

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// askFor is how long a cluster may take to answer where its answer is only helpful.
const askFor = 3 * time.Second

// targetNames completes the name of a target, of one kind or of any ("").
func (g *global) targetNames(kind config.Kind) cobra.CompletionFunc {
	return func(c *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []cobra.Completion
		for _, t := range g.completable(c.Context()).Targets {
			if kind == "" || t.Kind == kind {
				names = append(names, cobra.CompletionWithDesc(t.Name, string(t.Kind)+", secret "+t.Secret.Name))
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// completable is the configuration, as far as it can be had at once and without a word: a shell is waiting.
func (g *global) completable(ctx context.Context) config.Config {
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	found, _, err := g.load(ctx, g.connect)
	if err != nil && g.config == "" && !errors.As(err, new(usageError)) {
		return config.Default() // no cluster can be asked
	}
	return found
}

// completions adds what a shell completes beside commands and flags: the names of targets, the values of flags, kubectl's own
// way to ask for them.
func completions(g *global, root *cobra.Command) {
	values := map[string][]string{
		"via":        {string(kube.ViaAuto), string(kube.ViaPortForward), string(kube.ViaExec), string(kube.ViaDirect)},
		"stragglers": {"wait", "terminate"},
		"accept":     wiring.Consents,
	}
	for _, c := range root.Commands() {
		if strings.Contains(c.Use, "TARGET") {
			c.ValidArgsFunction = g.targetNames(kindOf(c))
		}
		values["until"] = wiring.StepsOf(kindOf(c))
		for flag, all := range values {
			if c.Flags().Lookup(flag) != nil {
				_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(all, cobra.ShellCompDirectiveNoFileComp)) // it was not registered before
			}
		}
	}
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.AddCommand(kubectlCompletion(g))
		}
	}
}

// kindOf is the kind of targets that a command is about; "" is any.
func kindOf(c *cobra.Command) config.Kind {
	for _, e := range wiring.Engines() {
		if name := strings.TrimPrefix(c.Name(), "emergency-"); string(e.Kind) == name {
			return e.Kind
		}
	}
	return ""
}

// CompletionName is what this program, or a link to it, is called where it completes for kubectl.
const CompletionName = "kubectl_complete-rotate"

func kubectlCompletion(g *global) *cobra.Command {
	return &cobra.Command{
		Use:   "kubectl",
		Short: "Print the program that kubectl's own completion asks about `kubectl rotate`",
		Long: `Print the program that kubectl's own completion asks about "kubectl rotate". Put it into your PATH:

  kubectl rotate completion kubectl > ~/.local/bin/` + CompletionName + ` && chmod +x ~/.local/bin/` + CompletionName + `

A link of that name to kubectl-rotate does the same.`,
		Args:                  usage(cobra.NoArgs),
		DisableFlagsInUseLine: true,
		RunE: func(*cobra.Command, []string) error {
			return g.Out.Printf("#!/bin/sh\nexec kubectl rotate __complete \"$@\"\n")
		},
	}
}

// CommandLine is the arguments of a process without its name: under [CompletionName] it is asked for completions.
func CommandLine(args []string) []string {
	if len(args) > 0 && strings.TrimSuffix(filepath.Base(args[0]), ".exe") == CompletionName {
		return append([]string{cobra.ShellCompRequestCmd}, args[1:]...)
	}
	return args[min(1, len(args)):]
}
