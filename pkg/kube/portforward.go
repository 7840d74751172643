package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
)

const (
	// reasonGrace is how long the end of the data waits for its reason: they come on two streams.
	reasonGrace = 250 * time.Millisecond
	// longestReason bounds what a node may tell us.
	longestReason = 4 << 10
)

// ErrLostConnection says that a tunnel broke: the API server, the node or the pod went away under it.
var ErrLostConnection = unavailable(errors.New("lost connection to pod"))

// portForward dials port of the pod's own loopback through the portforward subresource.
func (d *Dialer) portForward(ctx context.Context, remote address, port uint16) (*forwarding, error) {
	target := d.subresource("portforward").URL()
	tunnel, err := upgrade(ctx, d.Clients.Config, target, portforward.PortForwardProtocolV1Name)
	if err != nil {
		return nil, err
	}
	pair, err := openStreams(ctx, tunnel, port)
	if err != nil {
		tunnel.close()
		return nil, err
	}
	f := &forwarding{
		conn: newConn(remote), tunnel: tunnel, streamPair: pair,
		what:  fmt.Sprintf("port %d of pod %s", port, d.pod()),
		heard: make(chan struct{}), answered: d.answered,
	}
	f.start()
	return f, nil
}

// openStreams opens the pair of streams that is one forwarded connection. The library waits half a minute for the
// server's answer whatever happens, so the wait is left behind when ctx or the tunnel ends before.
func openStreams(ctx context.Context, t *tunnel, port uint16) (streamPair, error) {
	type result struct {
		streamPair
		error
	}
	opened := make(chan result, 1)
	go func() {
		pair, err := t.openPair(port)
		opened <- result{pair, err}
	}()
	select {
	case r := <-opened:
		return r.streamPair, r.error
	case <-ctx.Done():
		return streamPair{}, context.Cause(ctx)
	case <-t.CloseChan():
		return streamPair{}, ErrLostConnection
	}
}

// streamPair is one forwarded connection: its bytes, and why it ended.
type streamPair struct{ data, reason httpstream.Stream }

func (t *tunnel) openPair(port uint16) (pair streamPair, err error) {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(int(port)))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	if pair.reason, err = t.CreateStream(headers); err != nil {
		return pair, err
	}
	_ = pair.reason.Close() // we only read it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	pair.data, err = t.CreateStream(headers)
	return pair, err
}

// forwarding carries one connection over a tunnel of its own.
type forwarding struct {
	streamPair
	conn   *conn
	tunnel *tunnel
	what   string // for errors

	answered func(refusal error) // told of the first that comes: nil for bytes

	heard chan struct{} // closed when the reason stream has ended
	text  string        // what it said
}

func (f *forwarding) start() {
	over := make(chan struct{})
	f.conn.over = over
	f.conn.end = sync.OnceFunc(f.tunnel.close)
	sent := make(chan struct{})
	go f.hear()
	go f.send(sent)
	go func() {
		defer close(over)
		defer f.conn.end()
		f.receive()
		select { // the server is done; what the user still writes has a way until one of these
		case <-sent:
		case <-f.conn.broken:
		case <-f.conn.closed:
		case <-f.tunnel.CloseChan():
		}
	}()
}

// hear reads the reason stream. A reason that comes without an end of the data ends the data.
func (f *forwarding) hear() {
	defer close(f.heard)
	text, _ := io.ReadAll(io.LimitReader(f.reason, longestReason))
	f.text = strings.TrimSpace(string(text))
	if f.text != "" {
		time.AfterFunc(reasonGrace, func() { _ = f.data.Reset() })
	}
}

// send carries what the user writes, then says that there is no more.
func (f *forwarding) send(sent chan<- struct{}) {
	defer close(sent)
	if _, err := io.Copy(f.data, f.conn.fromUser); err != nil {
		f.conn.fail(f.lost(err))
		return
	}
	_ = f.data.Close()
}

// receive carries what the server sends until its end, and tells the user how it ended.
func (f *forwarding) receive() {
	_, err := io.Copy(&telling{f.conn.toUser, func() { f.answered(nil) }}, f.data)
	if isClosed(f.conn.closed) {
		_, _ = io.Copy(io.Discard, f.data) // wait for the server to hang up
		return
	}
	if cause := f.verdict(err); cause != nil {
		f.conn.fail(cause)
		return
	}
	f.conn.hangUp()
}

// telling is a writer that tells of its first bytes.
type telling struct {
	io.Writer
	first func()
}

func (t *telling) Write(p []byte) (int, error) {
	if t.first != nil {
		t.first()
		t.first = nil
	}
	return t.Writer.Write(p)
}

// verdict says why the data ended: nil for a server that closed its connection.
func (f *forwarding) verdict(err error) error {
	select {
	case <-f.heard:
	case <-f.conn.closed:
	case <-time.After(reasonGrace):
	}
	if reason := f.refusal(); reason != nil {
		if errors.Is(reason, syscall.ECONNREFUSED) {
			f.answered(reason)
		}
		return reason
	}
	if err != nil || isClosed(f.tunnel.CloseChan()) {
		return f.lost(err)
	}
	return nil
}

// refusal is what the reason stream has said so far, as an error.
func (f *forwarding) refusal() error {
	switch {
	case !isClosed(f.heard) || f.text == "":
		return nil
	case strings.Contains(f.text, "connection refused"):
		return refused(f.what)
	default:
		return fmt.Errorf("%s: %s", f.what, f.text)
	}
}

func (f *forwarding) lost(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("%s: %w", f.what, ErrLostConnection)
	}
	return fmt.Errorf("%s: %w: %w", f.what, ErrLostConnection, err)
}
