package kube

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// linger is how long Close waits for what was written to reach the server and for the server to hang up.
const linger = 500 * time.Millisecond

// conn is the user's end of a tunnel.
//
// A tunnel's own streams have no usable deadlines (setting one of SPDY's sets that of the whole connection, after
// which it is broken), so the user talks through pipes of net.Pipe, whose deadlines work and can be moved. There is
// one for each direction, so that one can end while the other goes on.
type conn struct {
	reads, writes net.Conn // the user's ends
	remote        address
	relay         string // what relays in the container, "" for a port-forward

	end  func()          // ends the tunnel, whatever state it is in; idempotent
	over <-chan struct{} // closed when nothing of the tunnel runs any more

	closing   sync.Once
	closed    chan struct{} // closed by Close
	breaking  sync.Once
	broken    chan struct{} // closed by fail, after cause is set
	cause     error
	toUser    net.Conn // the tunnel's ends
	fromUser  net.Conn
	closeTail time.Duration
}

var _ net.Conn = (*conn)(nil)

// newConn makes the pipes. The caller sets end and over before it hands the conn out.
func newConn(remote address) *conn {
	c := &conn{remote: remote, closed: make(chan struct{}), broken: make(chan struct{}), closeTail: linger}
	c.reads, c.toUser = net.Pipe()
	c.writes, c.fromUser = net.Pipe()
	return c
}

// fail ends both directions with a cause, which every later Read and Write reports. A connection that the user has
// closed does not fail any more.
func (c *conn) fail(cause error) {
	c.breaking.Do(func() {
		if !isClosed(c.closed) {
			c.cause = cause
			close(c.broken)
		}
		_ = c.toUser.Close()
		_ = c.fromUser.Close()
	})
}

// hangUp ends what the user reads with io.EOF; writing goes on.
func (c *conn) hangUp() { _ = c.toUser.Close() }

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.reads.Read(p)
	return n, c.translate("read", err)
}

func (c *conn) Write(p []byte) (int, error) {
	n, err := c.writes.Write(p)
	return n, c.translate("write", err)
}

// translate turns what a pipe says into what a connection says: closed here, broken on the way, timed out, or io.EOF.
func (c *conn) translate(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrDeadlineExceeded):
	case c.Cause() != nil:
		err = c.Cause()
	case isClosed(c.closed):
		err = net.ErrClosed
	case op == "read":
		return io.EOF
	default:
		err = syscall.EPIPE
	}
	return &net.OpError{Op: op, Net: c.remote.network, Addr: c.remote, Err: err}
}

// Cause is why the tunnel broke, or nil. It is for drivers that drop the error of a Read and then say only that the
// connection is closed, as pgx does.
func (c *conn) Cause() error {
	if !isClosed(c.broken) {
		return nil
	}
	return c.cause
}

func isClosed[T any](c <-chan T) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// CloseWrite says that nothing more will be written; reading goes on.
func (c *conn) CloseWrite() error { return c.writes.Close() }

// Close ends the connection. What was written before is sent on first; a tunnel that does not take it within half a
// second is cut off.
func (c *conn) Close() error {
	err := net.ErrClosed
	c.closing.Do(func() {
		err = nil
		close(c.closed)
		_ = c.writes.Close()
		_ = c.reads.Close()
		select {
		case <-c.over:
		case <-time.After(c.closeTail):
		}
		c.end()
	})
	return err
}

func (c *conn) LocalAddr() net.Addr  { return address{c.remote.network, ""} }
func (c *conn) RemoteAddr() net.Addr { return c.remote }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetReadDeadline(t time.Time) error  { return c.reads.SetReadDeadline(t) }
func (c *conn) SetWriteDeadline(t time.Time) error { return c.writes.SetWriteDeadline(t) }

// address is what was dialed, word for word: who dials a RemoteAddr again, as PostgreSQL's cancel request does, gets
// to the same server by the same dialer.
type address struct{ network, text string }

func (a address) Network() string { return a.network }
func (a address) String() string  { return a.text }
