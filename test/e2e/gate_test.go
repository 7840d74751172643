package e2e

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
)

// gate is a listener on loopback that can be shut for a while: then the port refuses, and all connections that came in by
// it are cut, those that were upgraded too.
type gate struct {
	w     *world
	mu    sync.Mutex
	at    string
	inner net.Listener
	open  chan struct{} // closed while the port listens
	over  bool
	conns map[net.Conn]bool
}

// newGate listens on an address of its own of loopback's: while it is shut, nobody else is given its port.
func newGate(w *world) *gate {
	w.Helper()
	g := &gate{w: w, conns: map[net.Conn]bool{}, open: make(chan struct{})}
	g.at = fmt.Sprintf("127.%d.%d.%d:0", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
	g.unshut()
	g.at = g.inner.Addr().String()
	w.Cleanup(func() { _ = g.Close() })
	return g
}

// shut refuses everybody, and cuts who is there.
func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = make(chan struct{})
	_ = g.inner.Close()
	g.cut()
}

// unshut listens again.
func (g *gate) unshut() {
	g.w.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	var err error
	g.inner, err = net.Listen("tcp", g.at)
	g.w.must("listening", err)
	close(g.open)
}

// cut ends all connections; g is locked.
func (g *gate) cut() {
	for c := range g.conns {
		_ = c.Close()
	}
	clear(g.conns)
}

// Accept waits for a connection, however often the gate is shut in the meantime.
func (g *gate) Accept() (net.Conn, error) {
	for {
		g.mu.Lock()
		inner, open, over := g.inner, g.open, g.over
		g.mu.Unlock()
		if over {
			return nil, net.ErrClosed
		}
		<-open
		if c, err := inner.Accept(); err == nil {
			return g.keep(c), nil
		}
	}
}

func (g *gate) keep(c net.Conn) net.Conn {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.conns[c] = true
	return c
}

// Close ends it for good.
func (g *gate) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.over = true
	g.cut()
	return g.inner.Close()
}

func (g *gate) Addr() net.Addr { return g.inner.Addr() }
