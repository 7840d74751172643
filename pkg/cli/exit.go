package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/checklist"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// The exit codes. They are part of what scripts may rely on.
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 2
	exitUnderWay    = 3 // waiting for time, evidence or an approval: run it again
	exitRefused     = 4 // a check said no, and nothing was changed
	exitOverdue     = 5 // status --check: something is overdue or stuck
	exitInterrupted = 130
)

// usageError is a command line that cannot be meant.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// underWay says that a run has stopped before its end, with nothing wrong.
type underWay struct{ text string }

func (e underWay) Error() string { return e.text }

// midway is what ended a run that had begun: whatever it was, things are not as they were before.
type midway struct{ error }

func (e midway) Unwrap() error { return e.error }

// attention says that something is overdue or stuck.
type attention struct{ text string }

func (e attention) Error() string { return e.text }

// exitCode is what err means to a script.
func exitCode(ctx context.Context, err error) int {
	var usage usageError
	var later underWay
	var needed attention
	switch {
	case err == nil || errors.Is(err, rotation.ErrNothingUnderWay):
		return exitDone
	case ctx.Err() != nil || errors.Is(err, checklist.ErrInterrupted):
		return exitInterrupted
	case errors.As(err, &usage) || errors.As(err, new(wiring.UsageError)) || errors.Is(err, rotation.ErrNoStep):
		return exitUsage
	case errors.As(err, &later) || errors.Is(err, rotation.ErrConsent):
		return exitUnderWay
	case errors.Is(err, rotation.ErrRefused) && !errors.As(err, new(midway)):
		return exitRefused
	case errors.As(err, &needed):
		return exitOverdue
	}
	return exitError
}

// usage makes what args refuses a usage error.
func usage(args cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, given []string) error {
		if err := args(c, given); err != nil {
			return usageError{rotation.WithHint(err, "see `"+c.CommandPath()+" --help`")}
		}
		return nil
	}
}
