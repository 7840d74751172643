package redisacl

import (
	"errors"
	"io"
	"net"
	"syscall"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// However a connection ends under a request, that is what is said; whoever refuses one says so himself.
func TestALostConnectionIsCalledLost(t *testing.T) {
	at := func(op string, err error) error { return &net.OpError{Op: op, Net: "tcp", Err: err} }
	for want, all := range map[string][]error{
		"the connection was lost":                           {io.EOF, io.ErrUnexpectedEOF, at("write", net.ErrClosed)},
		"the connection was lost: broken pipe":              {at("write", syscall.EPIPE)},
		"the connection was lost: connection reset by peer": {at("read", syscall.ECONNRESET)},
		"connection refused":                                {at("dial", syscall.ECONNREFUSED)},
	} {
		for _, err := range all {
			if got := explain(err); got == nil || got.Error() != want || !errors.Is(got, rotation.ErrUnavailable) {
				t.Errorf("%v is explained as %v, want %q", err, got, want)
			}
		}
	}
}
