package load

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
)

// Reasons of requests that got no whole reply. Replies that say no give "status N" and the backend's own word.
const (
	reasonTimeout   = "timeout"
	reasonRefused   = "connection refused"
	reasonReset     = "connection reset"
	reasonNoRoute   = "no route"
	reasonCutShort  = "connection closed before the reply ended"
	reasonMalformed = "malformed reply"
	reasonOther     = "other transport error"
)

var reasons = []struct {
	is     error
	reason string
}{
	{context.DeadlineExceeded, reasonTimeout},
	{syscall.ECONNREFUSED, reasonRefused},
	{syscall.ECONNRESET, reasonReset},
	{syscall.EPIPE, reasonReset},
	{syscall.EHOSTUNREACH, reasonNoRoute},
	{syscall.ENETUNREACH, reasonNoRoute},
	{io.EOF, reasonCutShort},
	{io.ErrUnexpectedEOF, reasonCutShort},
}

// closedIdle is the text of an error that net/http gives when the server closed a kept connection before it answered.
// The package exports no value to compare with.
const closedIdle = "http: server closed idle connection"

// reasonOf puts an error into one of a few classes, so that counts stay readable.
func reasonOf(err error) string {
	for _, r := range reasons {
		if errors.Is(err, r.is) {
			return r.reason
		}
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return reasonTimeout
	}
	if err.Error() == closedIdle {
		return reasonCutShort
	}
	return reasonOther
}
