package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/load"
)

// A server is told to end in the middle of a load, and its listener stays the only way in until it closes: what a node whose rules
// have not changed yet does to the pod. A second one then takes over on the same address. Every request must be answered.
func TestDrainLosesNoRequest(t *testing.T) {
	first, l := start(t, 3*time.Second)
	second, other := start(t, 0)
	front := newFront(t, l.Addr().String())
	config, err := load.Calibrate(t.Context(), load.Config{URL: "http://" + front.addr, Rate: 400, IdleTimeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	run, err := load.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	tenth := int(config.Rate/10) + 1 // of a second
	await(t, func() bool { return run.Snapshot().OK > 3*tenth })
	first.stop()
	await(t, func() bool { return first.draining.Load() })
	before := run.Snapshot().OK
	await(t, func() bool { return run.Snapshot().OK > before+tenth }) // new connections while draining
	front.to.Store(other.Addr().String())
	if err := <-first.ended; err != nil {
		t.Errorf("first server: %v", err)
	}
	before = run.Snapshot().OK
	await(t, func() bool { return run.Snapshot().OK > before+3*tenth })
	if err := run.Stop().Err(); err != nil {
		t.Errorf("at %v requests a second: %v", config.Rate, err)
	}
	second.stop()
	t.Logf("the second server ended: %v", <-second.ended)
}

func TestDrainingServerSendsItsKeptConnectionsAway(t *testing.T) {
	s, l := start(t, 2*time.Second)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r := bufio.NewReader(conn)
	if resp := ask(t, conn, r); resp.Close {
		t.Error("connection closed before the drain")
	}
	s.stop()
	await(t, func() bool { return s.draining.Load() })
	if resp := ask(t, conn, r); !resp.Close || resp.StatusCode != http.StatusOK {
		t.Errorf("status %d, closing %v; want 200 and the connection closed", resp.StatusCode, resp.Close)
	}
	t.Logf("the server ended: %v", <-s.ended)
}

func TestRequestThatOutlastsTheGraceIsReported(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	s := newTestServer(0, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(entered)
		<-release
	}))
	s.grace = 50 * time.Millisecond
	l := s.run(t)
	go http.Get("http://" + l.Addr().String()) //nolint:errcheck // it ends badly, by design
	<-entered
	s.stop()
	err := <-s.ended
	close(release)
	if err == nil {
		t.Error("no error though a request was cut off")
	}
}

// testServer is a server with its end at hand.
type testServer struct {
	server
	stop  context.CancelFunc
	ended chan error
}

func start(t *testing.T, delay time.Duration) (*testServer, net.Listener) {
	t.Helper()
	s := newTestServer(delay, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"pod":"p","login":"backend"}`)
	}))
	return s, s.run(t)
}

func newTestServer(delay time.Duration, h http.Handler) *testServer {
	return &testServer{
		server: server{handler: h, delay: delay, grace: 20 * time.Second, draining: new(atomic.Bool)},
		ended:  make(chan error, 1),
	}
}

func (s *testServer) run(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	t.Cleanup(stop)
	go func() { s.ended <- s.serve(ctx, l) }()
	return l
}

// front passes each new connection on to the address in to, as the node's rules do: those already open stay where they are.
type front struct {
	addr string
	to   atomic.Value
}

func newFront(t *testing.T, to string) *front {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	f := &front{addr: l.Addr().String()}
	f.to.Store(to)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.pass(c)
		}
	}()
	return f
}

// pass copies both ways. An end of the server's side ends the client's.
func (f *front) pass(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", f.to.Load().(string))
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = server.(*net.TCPConn).ReadFrom(client) }()
	_, _ = client.(*net.TCPConn).ReadFrom(server)
}

func ask(t *testing.T, conn net.Conn, r *bufio.Reader) *http.Response {
	t.Helper()
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: backend\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Discard(int(resp.ContentLength)); err != nil {
		t.Fatal(err)
	}
	return resp
}

func await(t *testing.T, condition func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-deadline:
			t.Fatal("condition not met in 20 s")
		case <-tick.C:
		}
	}
}
