package ledger

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

// Explain names verb, object and namespace in an error of the API server, and says which of the domain's errors it
// is. An admission webhook may quote what was sent and what was there before: none of the values in held stays in the text.
func Explain(kind, verb, namespace, name string, err error, held ...[]byte) error {
	what := fmt.Sprintf("%s %s %q in namespace %s", verb, kind, name, namespace)
	switch cause := clean(err, held); {
	case apierrors.IsConflict(err), apierrors.IsAlreadyExists(err):
		return fmt.Errorf("%s: %w", what, rotation.ErrConflict)
	case apierrors.IsForbidden(err):
		return rotation.WithHint(fmt.Errorf("%s: %w", what, cause), "`kubectl rotate rbac` prints the Role that it takes")
	case passing(err):
		return fmt.Errorf("%s: %w: %w", what, rotation.ErrUnavailable, cause)
	default:
		return fmt.Errorf("%s: %w", what, cause)
	}
}

// clean is err, or its text alone without the given values if it holds one of them.
func clean(err error, values [][]byte) error {
	if text := rotation.Redact(err.Error(), values...); text != err.Error() {
		return errors.New(text)
	}
	return err
}

// passing says whether err is of the kind that may pass on a retry: nothing answered, or the API server was too busy.
func passing(err error) bool {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		return code == http.StatusTooManyRequests || code >= http.StatusInternalServerError
	}
	if errors.Is(err, context.Canceled) {
		return false
	}
	var broken *net.OpError
	return errors.As(err, &broken) || errors.Is(err, context.DeadlineExceeded) || utilnet.IsTimeout(err) ||
		utilnet.IsProbableEOF(err) || utilnet.IsConnectionReset(err) || utilnet.IsConnectionRefused(err) || utilnet.IsHTTP2ConnectionLost(err)
}
