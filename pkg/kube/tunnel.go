package kube

import (
	"net"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/streaming/pkg/httpstream"
	streamspdy "k8s.io/streaming/pkg/httpstream/spdy"
)

const (
	// pingPeriod is how often a tunnel asks the node for a sign of life.
	pingPeriod = 10 * time.Second
	// silence is how long no byte may arrive, not even the answer to a ping, before a tunnel counts as dead. A
	// laptop that slept or a VPN that went leaves connections on which nothing ever fails.
	silence = 35 * time.Second
	// cutOff is how long saying goodbye may take before the network connection is closed without.
	cutOff = time.Second
)

// tunnel is a connection of streams to a pod, with what it needs to be ended for certain.
type tunnel struct {
	httpstream.Connection
	carrier *watched // what SPDY's frames go through
	network net.Conn // the connection to the API server below everything
}

func newTunnel(carrier *watched, network net.Conn) (*tunnel, error) {
	connection, err := streamspdy.NewClientConnectionWithPings(carrier, pingPeriod)
	if err != nil {
		return nil, err
	}
	return &tunnel{Connection: connection, carrier: carrier, network: network}, nil
}

// close ends the tunnel, politely if the network takes it.
func (t *tunnel) close() {
	cut := time.AfterFunc(cutOff, func() { _ = t.network.Close() })
	defer cut.Stop()
	_ = t.Connection.Close()
	_ = t.carrier.Close()
}

// watched is a connection that fails when nothing has arrived for too long, and that remembers having failed.
type watched struct {
	net.Conn
	silence time.Duration
	failed  atomic.Bool // a Read failed: the other side is gone
	closing sync.Once
}

func watch(c net.Conn) *watched { return &watched{Conn: c, silence: silence} }

func (w *watched) Read(p []byte) (int, error) {
	if err := w.SetReadDeadline(time.Now().Add(w.silence)); err != nil {
		w.failed.Store(true)
		return 0, err
	}
	n, err := w.Conn.Read(p)
	if err != nil {
		w.failed.Store(true)
	}
	return n, err
}

// Close closes once: SPDY's library closes again, and would wait a second for someone to take the second error.
func (w *watched) Close() error {
	var err error
	w.closing.Do(func() { err = w.Conn.Close() })
	return err
}
