package serverconn

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

type unavailable struct{ error }

func (u unavailable) Unwrap() []error { return []error{u.error, rotation.ErrUnavailable} }

// Unavailable is err as one that may pass. Its text stays as it is.
func Unavailable(err error) error { return unavailable{err} }

// Wrap says what was being done, and keeps nil nil.
func Wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), err)
}

// Network is err in our words where the network or the caller has ended a connection, and nil for any
// other error. What was sent is not part of it.
func Network(err error) error {
	var dropped net.Error
	var errno syscall.Errno
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return unavailable{fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)}
	case errors.As(err, &errno) && (errno == syscall.EPIPE || errno == syscall.ECONNRESET):
		return unavailable{fmt.Errorf("the connection was lost: %w", errno)}
	case errors.As(err, &errno):
		return unavailable{errno}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.ErrClosedPipe), errors.Is(err, net.ErrClosed):
		return unavailable{errors.New("the connection was lost")}
	case errors.As(err, &dropped):
		return unavailable{fmt.Errorf("the connection was lost: %w", dropped)}
	}
	return nil
}

// Section is where the configuration says how a server is reached, for hints.
type Section struct {
	Name string // "postgres"
	Mode string // the field of the mode: "sslmode"
}

// CertificateHint is for a server to which no certificate of ours was good enough.
func (s Section) CertificateHint() string {
	return "where it wants a certificate of its clients, name the Secret that has one it knows (" + s.Name + ".certificate)"
}

// Untrusted refuses a server whose certificate did not verify, and one that has ended TLS with a word
// of its own. It is nil for any other error.
func (s Section) Untrusted(err error) error {
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) {
		return rotation.Refuse(rotation.WithHint(err, fmt.Sprintf(
			"check whose CA it is (%[1]s.ca) and the name that it is for (%[1]s.serverName), or choose another mode (%[1]s.%[2]s)", s.Name, s.Mode)))
	}
	return s.Alert(err)
}

// Alert is the word of its own with which the other side has ended TLS; nil where it has said none.
func (s Section) Alert(err error) error {
	var network *net.OpError
	if !errors.As(err, &network) || network.Op != "remote error" {
		return nil
	}
	return rotation.Refuse(rotation.WithHint(fmt.Errorf("the server refused the connection: %w", network.Err), s.CertificateHint()))
}

// Bare adds to a connection that was lost that the server was shown no certificate. Whether the
// server's own word for that arrives before it hangs up is a matter of luck.
func (s Section) Bare(err error, p *Peer) error {
	if p.Certificate != nil || !p.Asked() || !errors.Is(err, rotation.ErrUnavailable) {
		return err
	}
	return rotation.WithHint(fmt.Errorf("the server asked for a certificate of its clients, and was shown none: %w", err), s.CertificateHint())
}
