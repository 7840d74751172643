package cli

import (
	"context"
	"errors"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/checklist"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// The exit codes. They are part of what scripts may rely on.
const (
	exitDone        = 0
	exitError       = 1
	exitUsage       = 2
	exitUnderWay    = 3 // waiting for time, evidence or an approval: run it again
	exitRefused     = 4 // a check said no, and nothing was changed
	exitInterrupted = 130
)

// usageError is a command line that cannot be meant.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// underWay says that a run has stopped before its end, with nothing wrong.
type underWay struct{ text string }

func (e underWay) Error() string { return e.text }

// exitCode is what err means to a script.
func exitCode(ctx context.Context, err error) int {
	var usage usageError
	var later underWay
	switch {
	case err == nil || errors.Is(err, rotation.ErrNothingUnderWay):
		return exitDone
	case ctx.Err() != nil || errors.Is(err, checklist.ErrInterrupted):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &later) || errors.Is(err, rotation.ErrConsent):
		return exitUnderWay
	case errors.Is(err, rotation.ErrRefused):
		return exitRefused
	}
	return exitError
}
