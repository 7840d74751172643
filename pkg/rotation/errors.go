package rotation

import (
	"errors"
	"slices"
	"strings"
)

var (
	// ErrConflict says that what a write was decided on has changed since: read again, decide again.
	ErrConflict = errors.New("changed by someone else in the meantime")
	// ErrRefused says that a check refused the rotation before anything was changed.
	ErrRefused = errors.New("refused")
	// ErrSuperseded says that the intent this run works for is no longer the record's.
	ErrSuperseded = errors.New("superseded by another decision")
	// ErrNothingUnderWay says that there is no rotation to abort.
	ErrNothingUnderWay = errors.New("no rotation is under way")
	// ErrNotYet says that an apply could not act now and that nothing is wrong: look again later.
	ErrNotYet = errors.New("not yet")
)

// hinted is an error with the next move beside it. The hint is printed apart from the error.
type hinted struct {
	error
	hint string
}

func (h hinted) Unwrap() error { return h.error }

// WithHint adds to err what the reader can do next, in one sentence. The text of err stays as it is.
// A nil err stays nil.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return hinted{err, hint}
}

// Hint gives the outermost hint of err's chain, or "".
func Hint(err error) string {
	var h hinted
	if errors.As(err, &h) {
		return h.hint
	}
	return ""
}

// refusal is an error that counts as ErrRefused without repeating the word.
type refusal struct{ error }

func (r refusal) Unwrap() []error { return []error{r.error, ErrRefused} }

// Refuse marks err as a refusal: a check said no and nothing was changed. The text of err stays as it is.
func Refuse(err error) error {
	if err == nil {
		return nil
	}
	return refusal{err}
}

// ErrUnavailable says that something could not be reached, or did not answer in time: it may the next time.
var ErrUnavailable = errors.New("not available")

// ErrConsent says that the operator was asked and has not agreed.
var ErrConsent = errors.New("waiting for consent")

// FailedError says that a step cannot become true by waiting.
type FailedError struct {
	Step  string
	State State
}

// Error names the step and what has failed of it, each thing once: a workload may say the same of its pods.
func (e *FailedError) Error() string {
	s := State{Note: e.State.Note}
	for i, item := range e.State.Items {
		said := func(other Item) bool { return other.Phase == Failed && strings.Contains(other.Note, item.Note) }
		if item.Phase == Failed && !slices.ContainsFunc(e.State.Items[i+1:], said) {
			s.Items = append(s.Items, item)
		}
	}
	if len(s.Items) == 0 {
		s = e.State
	}
	return e.Step + " failed: " + s.detail()
}
