package workload

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	utilnet "k8s.io/apimachinery/pkg/util/net"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// explain names verb, resource and namespace in an error of the API server, and says which of the domain's errors it
// is. what is the resource, with the object's name where there is one.
func (c *Consumers) explain(verb, what string, err error) error {
	what = fmt.Sprintf("%s %s in namespace %s", verb, what, c.Namespace)
	switch {
	case apierrors.IsConflict(err):
		return fmt.Errorf("%s: %w", what, rotation.ErrConflict)
	case apierrors.IsForbidden(err):
		return rotation.WithHint(fmt.Errorf("%s: %w", what, err), "`kubectl rotate rbac` prints the Role that it takes")
	case passing(err):
		return fmt.Errorf("%s: %w: %w", what, rotation.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// passing says whether err is of the kind that may pass on a retry: nothing answered, the API server was too busy, or a
// list took too long to be read page by page.
func passing(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		return code == http.StatusTooManyRequests || code == http.StatusGone || code >= http.StatusInternalServerError
	}
	if errors.Is(err, context.Canceled) {
		return false
	}
	var broken *net.OpError
	return errors.As(err, &broken) || errors.Is(err, context.DeadlineExceeded) || utilnet.IsTimeout(err) ||
		utilnet.IsProbableEOF(err) || utilnet.IsConnectionReset(err) || utilnet.IsConnectionRefused(err) || utilnet.IsHTTP2ConnectionLost(err)
}
