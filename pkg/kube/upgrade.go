package kube

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"time"

	"github.com/go-logr/logr"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	portforwardproto "k8s.io/apimachinery/pkg/util/portforward"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/client-go/transport/websocket"
	"k8s.io/streaming/pkg/httpstream"
	streamspdy "k8s.io/streaming/pkg/httpstream/spdy"
)

// upgrade opens a connection of streams to a subresource: SPDY inside a WebSocket first, plain SPDY where the
// server or a proxy on the way can't do that, as kubectl does.
//
// A 403 also leads to the second way: to a server before 1.35 a WebSocket is a GET and needs the verb get, SPDY is
// a POST and needs create.
func upgrade(ctx context.Context, config *rest.Config, target *url.URL, protocol string) (*tunnel, error) {
	t, err := upgradeToWebSocket(ctx, config, target, protocol)
	if err == nil || !needsSPDY(err) {
		return t, err
	}
	t, second := upgradeToSPDY(ctx, config, target, protocol)
	return t, eitherReason(err, second)
}

// needsSPDY is kubectl's own rule for when to fall back.
func needsSPDY(err error) bool {
	return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
}

// eitherReason gives the API server's own words if the second way got any, else both reasons.
func eitherReason(first, second error) error {
	var status apierrors.APIStatus
	if second == nil || errors.As(second, &status) {
		return second
	}
	var failure *httpstream.UpgradeFailureError
	if errors.As(first, &failure) {
		first = failure.Cause
	}
	return fmt.Errorf("%w (over SPDY: %w)", first, second)
}

func upgradeToWebSocket(ctx context.Context, config *rest.Config, target *url.URL, protocol string) (*tunnel, error) {
	transport, holder, err := websocket.RoundTripperFor(config)
	if err != nil {
		return nil, err
	}
	err = interruptible(ctx, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
		if err != nil {
			return err
		}
		_, err = websocket.Negotiate(transport, holder, req, portforwardproto.WebsocketsSPDYTunnelingPrefix+protocol)
		return err
	})
	if err != nil {
		return nil, err
	}
	// It logs each byte it carries at -v=7: passwords, among others.
	carrier := portforward.NewTunnelingConnectionWithLogger(logr.Discard(), holder.Connection())
	return newTunnel(watch(carrier), holder.Connection().NetConn())
}

func upgradeToSPDY(ctx context.Context, config *rest.Config, target *url.URL, protocol string) (*tunnel, error) {
	upgrader, err := newSPDYUpgrader(config)
	if err != nil {
		return nil, err
	}
	var connection httpstream.Connection
	err = interruptible(ctx, func(ctx context.Context) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), nil)
		if err != nil {
			return err
		}
		connection, _, err = spdy.NegotiateStreaming(
			spdy.NewUpgraderForStreaming(upgrader), &http.Client{Transport: upgrader}, req, protocol)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &tunnel{Connection: connection, carrier: upgrader.carrier, network: upgrader.network}, nil
}

// interruptible runs a handshake whose network connection is closed when ctx ends: the WebSocket library heeds a
// context's deadline and not its cancellation.
func interruptible(ctx context.Context, handshake func(context.Context) error) error {
	var guards guards
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { guards.add(ctx, info.Conn) }}
	err := handshake(httptrace.WithClientTrace(ctx, trace))
	guards.lift()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var timeout net.Error
	if deadline, ok := ctx.Deadline(); ok && errors.As(err, &timeout) && timeout.Timeout() && !time.Now().Before(deadline) {
		return context.DeadlineExceeded // the library's timer was a little faster than the context's
	}
	return err
}

type guards struct {
	mu    sync.Mutex
	lifts []func() bool
}

func (g *guards) add(ctx context.Context, network net.Conn) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lifts = append(g.lifts, context.AfterFunc(ctx, func() { _ = network.Close() }))
}

func (g *guards) lift() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, lift := range g.lifts {
		lift()
	}
}

// spdyUpgrader upgrades a request to SPDY over net/http's transport. That goes through every kind of proxy and
// heeds the context at any point; client-go's own does neither. It is good for one connection.
type spdyUpgrader struct {
	transport http.RoundTripper
	network   net.Conn
	carrier   *watched
}

var _ httpstream.UpgradeRoundTripper = (*spdyUpgrader)(nil)

func newSPDYUpgrader(config *rest.Config) (*spdyUpgrader, error) {
	config = rest.CopyConfig(config)
	config.NextProtos = []string{"http/1.1"} // HTTP/2 has no upgrade
	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, err
	}
	return &spdyUpgrader{transport: transport}, nil
}

// RoundTrip sends req as a request to upgrade.
func (u *spdyUpgrader) RoundTrip(req *http.Request) (*http.Response, error) {
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { u.network = info.Conn }}
	req = req.Clone(httptrace.WithClientTrace(req.Context(), trace))
	req.Header.Set(httpstream.HeaderConnection, httpstream.HeaderUpgrade)
	req.Header.Set(httpstream.HeaderUpgrade, streamspdy.HeaderSpdy31)
	resp, err := u.transport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if body, ok := resp.Body.(io.ReadWriteCloser); ok && resp.StatusCode == http.StatusSwitchingProtocols {
		u.carrier = watch(upgradedConn{body, u.network})
		resp.Body = http.NoBody // whoever sent the request closes it
	}
	return resp, nil
}

// NewConnection makes the connection of streams out of the answer.
func (u *spdyUpgrader) NewConnection(resp *http.Response) (httpstream.Connection, error) {
	if u.carrier == nil {
		return nil, refusedUpgrade(resp)
	}
	return streamspdy.NewClientConnectionWithPings(u.carrier, pingPeriod)
}

// upgradedConn is the network connection under an upgraded answer, with what the transport had read ahead.
type upgradedConn struct {
	io.ReadWriteCloser
	net.Conn
}

func (c upgradedConn) Read(p []byte) (int, error)  { return c.ReadWriteCloser.Read(p) }
func (c upgradedConn) Write(p []byte) (int, error) { return c.ReadWriteCloser.Write(p) }
func (c upgradedConn) Close() error                { return c.ReadWriteCloser.Close() }

// refusedUpgrade gives the API server's own words where the answer has them.
func refusedUpgrade(resp *http.Response) error {
	const most = 64 << 10
	text, _ := io.ReadAll(io.LimitReader(resp.Body, most))
	var status metav1.Status
	if json.Unmarshal(text, &status) == nil && status.Kind == "Status" {
		return &apierrors.StatusError{ErrStatus: status}
	}
	return fmt.Errorf("the server did not upgrade the connection: %s %.200s", resp.Status, text)
}
