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
)

// TLSMode is how much is asked of TLS, in the words of libpq's sslmode.
type TLSMode string

// The modes. Only the last two keep anybody from posing as the server.
const (
	TLSPrefer     TLSMode = "prefer" // TLS where the server has it
	TLSDisable    TLSMode = "disable"
	TLSRequire    TLSMode = "require"     // TLS or nothing; with RootCAs it is verify-ca, as in libpq
	TLSVerifyCA   TLSMode = "verify-ca"   // and the certificate is signed by one of RootCAs
	TLSVerifyFull TLSMode = "verify-full" // and is for the node's host
)

// TLS is how connections to the server are secured. Unix sockets never are.
type TLS struct {
	// Mode is TLSPrefer when empty.
	Mode TLSMode
	// RootCAs are whose certificates are trusted. Nil is the system's.
	RootCAs *x509.CertPool
	// ServerName is the name that the certificate must be for, where a tunnel makes the node's host a different one.
	// Empty is the node's host.
	ServerName string
}

func (t TLS) mode() TLSMode { return or(t.Mode, TLSPrefer) }

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

// over wraps a connection to host that was just made in TLS, as far as the mode wants it. Doing it here rather than in pgconn
// keeps the connection where the server has no TLS: pgconn would dial again, through one more tunnel.
func (t TLS) over(ctx context.Context, conn net.Conn, host string) (net.Conn, error) {
	if t.mode() == TLSDisable {
		return conn, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := ask(conn)
	if !stop() {
		return nil, context.Cause(ctx)
	}
	if errors.Is(err, errNoTLS) && t.mode() == TLSPrefer {
		return conn, nil
	}
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, t.config(host))
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

func (t TLS) config(host string) *tls.Config {
	c := &tls.Config{RootCAs: t.RootCAs, ServerName: or(t.ServerName, host)}
	switch {
	case t.mode() == TLSVerifyFull:
	case t.mode() == TLSVerifyCA, t.mode() == TLSRequire && t.RootCAs != nil:
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(state tls.ConnectionState) error { return signedBy(t.RootCAs, state.PeerCertificates) }
	default:
		c.InsecureSkipVerify = true
	}
	return c
}

// signedBy checks a chain of certificates, whatever name they are for.
func signedBy(roots *x509.CertPool, chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return errors.New("the server showed no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	if _, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
	}
	return nil
}
