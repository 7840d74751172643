package cli

import (
	"errors"
	"fmt"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/checklist"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A script may take 4 for: nothing was changed. A check that says no in the middle of a rotation is an error like another.
func TestExitCodes(t *testing.T) {
	refused := rotation.Refuse(errors.New("an immutable Secret"))
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{"done", nil, exitDone},
		{"nothing under way", fmt.Errorf("abort: %w", rotation.ErrNothingUnderWay), exitDone},
		{"an error", errors.New("no route"), exitError},
		{"a wrong flag", usageError{errors.New("--soak")}, exitUsage},
		{"under way", underWay{"still under way"}, exitUnderWay},
		{"not agreed to", fmt.Errorf("begin: %w", rotation.ErrConsent), exitUnderWay},
		{"not agreed to, in the middle", midway{fmt.Errorf("drain: %w", rotation.ErrConsent)}, exitUnderWay},
		{"refused", fmt.Errorf("begin: %w", refused), exitRefused},
		{"refused in the middle", midway{fmt.Errorf("retire: %w", refused)}, exitError},
		{"overdue", attention{"postgres is overdue"}, exitOverdue},
		{"interrupted", checklist.ErrInterrupted, exitInterrupted},
	} {
		if got := exitCode(t.Context(), c.err); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
