package postgres

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// TLSMode is how much is asked of TLS, in the words of libpq's sslmode.
type TLSMode = serverconn.Mode

// The modes. Only the last two keep anybody from posing as the server.
const (
	TLSPrefer     TLSMode = "prefer" // TLS where the server has it
	TLSDisable            = serverconn.Disable
	TLSRequire            = serverconn.Require // with RootCAs it is verify-ca, as in libpq
	TLSVerifyCA           = serverconn.VerifyCA
	TLSVerifyFull         = serverconn.VerifyFull
)

// TLS is how connections to the server are secured. Unix sockets never are. Its mode is TLSPrefer when empty.
type TLS = serverconn.TLS

// section is where a server is configured.
var section = serverconn.Section{Name: "postgres", Mode: "sslmode"}

// effective is t with the mode that counts.
func effective(t TLS) TLS {
	t.Mode = cmp.Or(t.Mode, TLSPrefer)
	if t.Mode == TLSRequire && t.RootCAs != nil {
		t.Mode = TLSVerifyCA
	}
	return t
}

// verifies says whether the server's certificate is verified.
func verifies(t TLS) bool {
	mode := effective(t).Mode
	return mode == TLSVerifyFull || mode == TLSVerifyCA
}

func validMode(t TLS) error {
	switch effective(t).Mode {
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
	if d.peer.Mode == TLSDisable {
		return conn, nil
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := ask(conn)
	if !stop() {
		return nil, context.Cause(ctx)
	}
	if errors.Is(err, errNoTLS) && d.peer.Mode == TLSPrefer {
		return conn, nil
	}
	if err != nil {
		return nil, err
	}
	secure := tls.Client(conn, d.peer.Config())
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

// hosts are what a node goes by.
func (n Node) hosts() []string {
	if n.Host == "" && len(n.Aliases) > 0 {
		return n.Aliases
	}
	return append([]string{n.host()}, n.Aliases...)
}

// shown adds to an error met on the way in what the certificate that we showed, or did not, may have to do with it. Whether the server's
// own word for that arrives before it hangs up is a matter of luck.
func (d *dialer) shown(err error, user string) error {
	if !d.peer.Asked() {
		return err
	}
	mine := d.peer.Certificate
	turnedAway := code(err) == codeNotAuthorized || code(err) == codeWrongPassword
	switch {
	case code(err) == codeNotAuthorized && mine == nil:
		return rotation.WithHint(err, fmt.Sprintf("let %q log in by this path: see pg_hba.conf on the server; %s", user, section.CertificateHint()))
	case turnedAway && mine != nil && mine.Leaf != nil && mine.Leaf.Subject.CommonName != user:
		return rotation.WithHint(err, fmt.Sprintf("where pg_hba.conf wants a certificate of each user's own (cert, clientcert=verify-full), "+
			"show one that is for %q: that of postgres.certificate is for %q", user, mine.Leaf.Subject.CommonName))
	case code(err) == "" && mine == nil:
		return section.Bare(err, d.peer)
	case code(err) == "" && errors.Is(err, rotation.ErrUnavailable):
		return rotation.WithHint(fmt.Errorf("the server asked for a certificate of its clients, and was shown one: %w", err),
			"where it says so in its log, show one that it knows who has signed (postgres.certificate)")
	}
	return err
}
