package postgres

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// TLSMode is how much is asked of TLS, in the words of libpq's sslmode.
type TLSMode string

// The modes. Only the last two keep anybody from posing as the server.
const (
	TLSPrefer     TLSMode = "prefer" // TLS where the server has it
	TLSDisable    TLSMode = "disable"
	TLSRequire    TLSMode = "require"     // TLS or nothing; with RootCAs it is verify-ca, as in libpq
	TLSVerifyCA   TLSMode = "verify-ca"   // and the certificate is signed by one of RootCAs
	TLSVerifyFull TLSMode = "verify-full" // and is for the node
)

// TLS is how connections to the server are secured. Unix sockets never are.
type TLS struct {
	// Mode is TLSPrefer when empty.
	Mode TLSMode
	// RootCAs are whose certificates are trusted. Nil is the system's.
	RootCAs *x509.CertPool
	// ServerName is the name that the certificate has to be for, where it is for none that the node goes by. Empty: it is for the
	// node's host, or one of its aliases.
	ServerName string
	// Certificate is shown to a server that wants one of its clients. Nil: none is.
	Certificate *tls.Certificate
}

func (t TLS) mode() TLSMode { return or(t.Mode, TLSPrefer) }

// verifies says whether the server's certificate is verified.
func (t TLS) verifies() bool {
	mode := t.mode()
	return mode == TLSVerifyFull || mode == TLSVerifyCA || mode == TLSRequire && t.RootCAs != nil
}

func (t TLS) valid() error {
	switch t.mode() {
	case TLSPrefer, TLSDisable, TLSRequire, TLSVerifyCA, TLSVerifyFull:
		return nil
	}
	return fmt.Errorf("TLS mode %q is none of prefer, disable, require, verify-ca and verify-full", t.Mode)
}

var (
	errNoTLS     = errors.New("the server has no TLS")
	errHandshake = errors.New("securing the connection")
	errStranger  = errors.New("whatever answers there is not PostgreSQL")
)

// over wraps a connection that was just made in TLS, as far as the mode wants it. Doing it here rather than in pgconn
// keeps the connection where the server has no TLS: pgconn would dial again, through one more tunnel.
func (d *dialer) over(ctx context.Context, conn net.Conn) (net.Conn, error) {
	if d.tls.mode() == TLSDisable {
		return conn, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := ask(conn)
	if !stop() {
		return nil, context.Cause(ctx)
	}
	if errors.Is(err, errNoTLS) && d.tls.mode() == TLSPrefer {
		return conn, nil
	}
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, d.config())
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, fmt.Errorf("%w: %w", errHandshake, err)
	}
	return secure, nil
}

// ask sends an SSLRequest; nil means that the server waits for the handshake.
func ask(conn net.Conn) error {
	request := []byte{0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f} // its length, and 80877103
	if _, err := conn.Write(request); err != nil {
		return err
	}
	var answer [1]byte
	if _, err := io.ReadFull(conn, answer[:]); err != nil {
		return err
	}
	switch answer[0] {
	case 'S':
		return nil
	case 'N':
		return errNoTLS
	}
	return fmt.Errorf("%w: it answered %q to a request for TLS", errStranger, answer[0])
}

// config is what TLS is spoken with. Certificates are checked here, not by crypto/tls: a node goes by several names.
func (d *dialer) config() *tls.Config {
	c := &tls.Config{InsecureSkipVerify: true, ServerName: d.names()[0]} //nolint:gosec // VerifyConnection does, where the mode wants it
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		d.asked.Store(true)
		return or(d.tls.Certificate, new(tls.Certificate)), nil
	}
	if d.tls.verifies() {
		c.VerifyConnection = func(s tls.ConnectionState) error { return d.verify(s.PeerCertificates) }
	}
	return c
}

// names are what a node's certificate may be for.
func (d *dialer) names() []string {
	switch {
	case d.tls.ServerName != "":
		return []string{d.tls.ServerName}
	case d.node.Host == "" && len(d.node.Aliases) > 0:
		return d.node.Aliases
	}
	return append([]string{d.node.host()}, d.node.Aliases...)
}

// verify checks a chain of certificates: who signed it, and with TLSVerifyFull, for whom it is.
func (d *dialer) verify(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("the server showed no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: d.tls.RootCAs, Intermediates: between})
	if err == nil && d.tls.mode() == TLSVerifyFull {
		for _, name := range d.names() {
			if err = chain[0].VerifyHostname(name); err == nil {
				return nil
			}
		}
	}
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}

// certificateHint is for a server to which no certificate of ours was good enough.
const certificateHint = "where it wants a certificate of its clients, name the Secret that has one it knows (postgres.certificate)"

// shown adds to an error met on the way in what the certificate that we showed, or did not, may have to do with it. Whether the server's
// own word for that arrives before it hangs up is a matter of luck.
func (d *dialer) shown(err error, user string) error {
	if !d.asked.Load() {
		return err
	}
	mine := d.tls.Certificate
	turnedAway := code(err) == codeNotAuthorized || code(err) == codeWrongPassword
	switch {
	case code(err) == codeNotAuthorized && mine == nil:
		return rotation.WithHint(err, fmt.Sprintf("let %q log in by this path: see pg_hba.conf on the server; %s", user, certificateHint))
	case turnedAway && mine != nil && mine.Leaf != nil && mine.Leaf.Subject.CommonName != user:
		return rotation.WithHint(err, fmt.Sprintf("where pg_hba.conf wants a certificate of each user's own (cert, clientcert=verify-full), "+
			"show one that is for %q: that of postgres.certificate is for %q", user, mine.Leaf.Subject.CommonName))
	case code(err) == "" && errors.Is(err, rotation.ErrUnavailable) && mine == nil:
		return rotation.WithHint(fmt.Errorf("the server asked for a certificate of its clients, and was shown none: %w", err), certificateHint)
	case code(err) == "" && errors.Is(err, rotation.ErrUnavailable):
		return rotation.WithHint(fmt.Errorf("the server asked for a certificate of its clients, and was shown one: %w", err),
			"where it says so in its log, show one that it knows who has signed (postgres.certificate)")
	}
	return err
}
