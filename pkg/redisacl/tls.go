package redisacl

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// TLSMode is how much is asked of TLS.
type TLSMode = serverconn.Mode

// The modes. Only the last two keep anybody from posing as the server.
const (
	TLSAuto       TLSMode = "auto" // TLS where the port does not answer without
	TLSDisable            = serverconn.Disable
	TLSRequire            = serverconn.Require
	TLSVerifyCA           = serverconn.VerifyCA
	TLSVerifyFull         = serverconn.VerifyFull
)

// TLS is how connections are secured. Its mode is TLSAuto when empty.
type TLS = serverconn.TLS

// section is where a server is configured.
var section = serverconn.Section{Name: "redis", Mode: "tls"}

// greeting is how long a port may take to answer a PING in plain text before it is thought to wait for TLS.
const greeting = 5 * time.Second

var errStranger = errors.New("whatever answers there is not Redis")

// dialer is how a node is dialed: with TLS or without, once that is known.
type dialer struct {
	node Node
	peer *serverconn.Peer
	mode TLSMode // as found out; "" while it is not
}

func (d *dialer) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	conn, err := d.plain(ctx, network)
	if err != nil {
		return nil, err
	}
	mode := cmp.Or(d.peer.Mode, TLSAuto)
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
	secure := tls.Client(conn, d.peer.Config())
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

// hosts are what a node goes by.
func (n Node) hosts() []string {
	host, _, err := net.SplitHostPort(n.Address)
	if err != nil {
		host = n.Address
	}
	return append([]string{host}, n.Aliases...)
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
