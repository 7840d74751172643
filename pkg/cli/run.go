package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// Run runs one command line and gives its exit code. Data goes to s.Out; progress, warnings and
// errors go to s.Err.
func Run(ctx context.Context, args []string, s Streams) int {
	s = s.filled()
	g := newGlobal(s)
	root := rootCommand(g)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	complain(g, err)
	return exitCode(ctx, err)
}

// filled is s with nothing nil.
func (s Streams) filled() Streams {
	if s.In == nil {
		s.In = eof{}
	}
	if s.Out == nil {
		s.Out = io.Discard
	}
	if s.Err == nil {
		s.Err = io.Discard
	}
	if s.Env == nil {
		s.Env = func(string) (string, bool) { return "", false }
	}
	return s
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// complain prints what kept a command from its end. Where nothing is wrong, that is no error.
func complain(g *global, err error) {
	var later underWay
	var needed attention
	if errors.Is(err, rotation.ErrNothingUnderWay) || errors.As(err, &later) || errors.As(err, &needed) {
		g.say("%v", err)
		return
	}
	report.Error(g.Err, err, g.style())
}

func rootCommand(g *global) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-rotate",
		Short: "Rotate credentials on Kubernetes without losing a request",
		Long: `Rotate credentials on Kubernetes without losing a request.

A rotation is a checklist: each step is looked at in the cluster and at the server itself, made true where it is
not, and looked at again. It can be stopped at any moment, by any means; the same command goes on where it was.
Until its last step, "kubectl rotate abort" takes it back.`,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl rotate"},
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(g.In)
	root.SetOut(g.Out)
	root.SetErr(g.Err)
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usageError{rotation.WithHint(err, "see `"+c.CommandPath()+" --help`")}
	})
	g.addFlags(root.PersistentFlags())
	for _, e := range wiring.Engines() {
		root.AddCommand(rotateCommand(g, e))
		if e.Emergency != "" {
			root.AddCommand(emergencyCommand(g, e))
		}
	}
	root.AddCommand(abortCommand(g), statusCommand(g), historyCommand(g), configCommand(g), rbacCommand(g), versionCommand(g))
	completions(g, root)
	return root
}
