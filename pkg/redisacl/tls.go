package redisacl

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// TLSMode is how much is asked of TLS.
type TLSMode string

// The modes. Only the last two keep anybody from posing as the server.
const (
	TLSAuto       TLSMode = "auto" // TLS where the port does not answer without
	TLSDisable    TLSMode = "disable"
	TLSRequire    TLSMode = "require"     // TLS or nothing
	TLSVerifyCA   TLSMode = "verify-ca"   // and the certificate is signed by one of RootCAs
	TLSVerifyFull TLSMode = "verify-full" // and is for the node
)

// TLS is how connections are secured.
type TLS struct {
	// Mode is TLSAuto when empty.
	Mode TLSMode
	// RootCAs are whose certificates are trusted. Nil is the system's.
	RootCAs *x509.CertPool
	// ServerName is the name that the certificate has to be for, where it is for none that the node goes by. Empty: it is for the host of
	// the node's address, or one of its aliases.
	ServerName string
	// Certificate is shown to a server that wants one of its clients. Nil: none is.
	Certificate *tls.Certificate
}

// greeting is how long a port may take to answer a PING in plain text before it is thought to wait for TLS.
const greeting = 5 * time.Second

var errStranger = errors.New("whatever answers there is not Redis")

// dialer is how a node is dialed: with TLS or without, once that is known.
type dialer struct {
	node Node
	tls  TLS
	mode TLSMode // as found out; "" while it is not

	asked atomic.Bool // the server wants a certificate of its clients, or would like one
}

func (d *dialer) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	conn, err := d.plain(ctx, network)
	if err != nil {
		return nil, err
	}
	mode := or(d.tls.Mode, TLSAuto)
	if mode == TLSAuto {
		if d.mode == "" {
			if d.mode, err = speaks(ctx, conn); err != nil {
				return nil, errors.Join(err, conn.Close())
			}
			if d.mode == TLSRequire { // it has ended this connection
				_ = conn.Close()
				if conn, err = d.plain(ctx, network); err != nil {
					return nil, err
				}
			}
		}
		mode = d.mode
	}
	if mode == TLSDisable {
		return conn, nil
	}
	secure := tls.Client(conn, d.config())
	if err := secure.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("securing the connection: %w", err), conn.Close())
	}
	return secure, nil
}

func (d *dialer) plain(ctx context.Context, network string) (net.Conn, error) {
	if d.node.Dial != nil {
		return d.node.Dial(ctx, network, d.node.Address)
	}
	return new(net.Dialer).DialContext(ctx, network, d.node.Address)
}

// config is what TLS is spoken with. Certificates are checked here, not by crypto/tls: a node goes by several names.
func (d *dialer) config() *tls.Config {
	c := &tls.Config{InsecureSkipVerify: true, ServerName: d.tls.ServerName} //nolint:gosec // VerifyConnection does, where the mode wants it
	if host := d.names()[0]; c.ServerName == "" && net.ParseIP(host) == nil {
		c.ServerName = host
	}
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		d.asked.Store(true)
		return or(d.tls.Certificate, new(tls.Certificate)), nil
	}
	if mode := d.tls.Mode; mode == TLSVerifyCA || mode == TLSVerifyFull {
		c.VerifyConnection = func(s tls.ConnectionState) error { return d.verify(s.PeerCertificates) }
	}
	return c
}

// bare says what a connection may have been lost for that was shown no certificate: whether the server's own word for that arrives before
// it hangs up is a matter of luck.
func (d *dialer) bare(err error) error {
	if d.tls.Certificate != nil || !d.asked.Load() || !errors.Is(err, rotation.ErrUnavailable) {
		return err
	}
	return rotation.WithHint(fmt.Errorf("the server asked for a certificate of its clients, and was shown none: %w", err), certificateHint)
}

const certificateHint = "where it wants a certificate of its clients, name the Secret that has one (redis.certificate)"

// names are what a node's certificate may be for.
func (d *dialer) names() []string {
	if d.tls.ServerName != "" {
		return []string{d.tls.ServerName}
	}
	host, _, err := net.SplitHostPort(d.node.Address)
	if err != nil {
		host = d.node.Address
	}
	return append([]string{host}, d.node.Aliases...)
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
	if err == nil && d.tls.Mode == TLSVerifyFull {
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

// speaks tells whether a port talks in plain text: it answers a PING, if only to say that a password comes first. One that
// waits for a handshake hangs up.
func speaks(ctx context.Context, conn net.Conn) (TLSMode, error) {
	end, ok := ctx.Deadline()
	if limit := time.Now().Add(greeting); !ok || limit.Before(end) {
		end = limit
	}
	defer func() { _ = conn.SetDeadline(time.Time{}) }()
	if err := conn.SetDeadline(end); err != nil {
		return "", err
	}
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return "", err
	}
	line, err := bufio.NewReaderSize(conn, 16).ReadString('\n')
	var late net.Error
	switch {
	case strings.HasPrefix(line, "+"), strings.HasPrefix(line, "-"):
		return TLSDisable, nil
	case strings.HasPrefix(line, "\x15"), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return TLSRequire, nil // an alert of TLS, or nothing
	case errors.As(err, &late) && late.Timeout() && ctx.Err() == nil:
		return TLSRequire, nil
	case err != nil:
		return "", err
	}
	return "", errStranger
}
