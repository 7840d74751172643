package kube

import (
	"fmt"
	"syscall"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// passing is an error that counts as [rotation.ErrUnavailable] without repeating its words.
type passing struct{ error }

func (p passing) Unwrap() []error { return []error{p.error, rotation.ErrUnavailable} }

// unavailable marks err as one that a retry may not see again. The text of err stays as it is.
func unavailable(err error) error { return passing{err} }

// refused is the error of a port or socket that nothing listens on.
func refused(what string) error {
	return rotation.WithHint(unavailable(fmt.Errorf("%s: %w", what, syscall.ECONNREFUSED)),
		"nothing listens there: see whether the server in the pod is up, and on which port")
}
