package cli

import (
	"context"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/checklist"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// frontend is what a run is shown on, and who answers its questions.
type frontend struct {
	emit    func(rotation.Event)
	consent func(context.Context, rotation.Question) error
	hold    func(context.Context) (bool, error)
	offer   func(context.Context, rotation.Question) (rotation.Answer, error) // nil: nobody is asked, and a gate that fails ends the run
	skips   func() []string
	show    func(context.Context, checklist.Run) (rotation.Result, error)
	end     func(report.End) error
}

// towards is the want of one direction: the one that was asked for, or the rollback that the
// operator starts on the screen.
func towards(want rotation.Want, back bool) rotation.Want {
	if back == want.Back {
		return want
	}
	return want.Abort()
}
