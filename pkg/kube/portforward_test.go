package kube

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// server listens on the loopback and hands each connection to serve.
func server(t *testing.T, network string, serve func(net.Conn)) string {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "sock")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		address = dir + "/.s.PGSQL.5432"
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return l.Addr().String()
}

func echo(c net.Conn) { _, _ = io.Copy(c, c) }

// answerAtEnd answers only when the client has said that it is done.
func answerAtEnd(c net.Conn) {
	all, _ := io.ReadAll(c)
	_, _ = c.Write(append([]byte("got "), all...))
}

// hangUp says something and hangs up.
func hangUp(c net.Conn) { _, _ = io.WriteString(c, "bye") }

func dial(t *testing.T, d *Dialer, network, address string) net.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	c, err := d.DialContext(ctx, network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// noLeak fails the test if more goroutines are left after it than there were before.
func noLeak(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		if t.Failed() {
			return
		}
		await(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
	})
}

// forEachProtocol runs a test over WebSockets and over SPDY.
func forEachProtocol(t *testing.T, test func(t *testing.T, s *apiServer)) {
	for _, protocol := range []string{"websocket", "spdy"} {
		t.Run(protocol, func(t *testing.T) {
			s := newAPIServer(t)
			s.noSockets.Store(protocol == "spdy")
			test(t, s)
			if got := s.seen(); !strings.HasSuffix(got[len(got)-1], protocol) {
				t.Errorf("requests %v, want %s used", got, protocol)
			}
		})
	}
}

func TestPortForwardCarriesBytesBothWays(t *testing.T) {
	forEachProtocol(t, func(t *testing.T, s *apiServer) {
		d := s.dialer(t)
		d.Via = ViaPortForward
		carriesBytesBothWays(t, dial(t, d, "tcp", server(t, "tcp", echo)))
	})
}

// carriesBytesBothWays sends more than all buffers on the way hold together, while it reads.
func carriesBytesBothWays(t *testing.T, c net.Conn) {
	t.Helper()
	sent := make([]byte, 1<<20)
	_, _ = rand.Read(sent)
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	wrote := make(chan error, 1)
	go func() {
		_, err := c.Write(sent)
		wrote <- err
	}()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Error("the bytes that came back are not those sent")
	}
}

func TestPortForwardHalfClose(t *testing.T) {
	forEachProtocol(t, func(t *testing.T, s *apiServer) {
		d := s.dialer(t)
		d.Via = ViaPortForward
		halfCloses(t, dial(t, d, "tcp", server(t, "tcp", answerAtEnd)))
	})
}

func halfCloses(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, "question"); err != nil {
		t.Fatal(err)
	}
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	got, err := io.ReadAll(c)
	if err != nil || string(got) != "got question" {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestPortForwardServerHangsUp(t *testing.T) {
	forEachProtocol(t, func(t *testing.T, s *apiServer) {
		d := s.dialer(t)
		d.Via = ViaPortForward
		c := dial(t, d, "tcp", server(t, "tcp", hangUp))
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		got, err := io.ReadAll(c)
		if err != nil || string(got) != "bye" {
			t.Errorf("read %q, %v, want bye and a clean end", got, err)
		}
	})
}

func TestPortForwardRefused(t *testing.T) {
	forEachProtocol(t, func(t *testing.T, s *apiServer) {
		d := s.dialer(t)
		d.Via = ViaPortForward
		c := dial(t, d, "tcp", "127.0.0.1:1")
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, err := c.Read(make([]byte, 1))
		if !errors.Is(err, syscall.ECONNREFUSED) || !errors.Is(err, rotation.ErrUnavailable) {
			t.Errorf("read: %v, want a refusal", err)
		}
		if want := "port 1 of pod default/server-0"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("read: %v, want %q in it", err, want)
		}
		if _, again := c.Read(make([]byte, 1)); again == nil || again.Error() != err.Error() {
			t.Errorf("second read: %v, want %v again", again, err)
		}
	})
}

type failing struct{ text string }

func (f failing) PortForward(_ context.Context, _, _ string, _ int32, stream io.ReadWriteCloser) error {
	_, _ = io.WriteString(stream, "half an ans")
	return errors.New(f.text)
}

func TestPortForwardTellsTheNodesReason(t *testing.T) {
	forEachProtocol(t, func(t *testing.T, s *apiServer) {
		s.forward = failing{"container runtime went away"}
		d := s.dialer(t)
		d.Via = ViaPortForward
		c := dial(t, d, "tcp", "127.0.0.1:5432")
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		_, err := io.ReadAll(c)
		if err == nil || !strings.Contains(err.Error(), "container runtime went away") {
			t.Errorf("read: %v, want the node's reason", err)
		}
	})
}

func TestPortForwardKilledInMidQuery(t *testing.T) {
	forEachProtocol(t, func(t *testing.T, s *apiServer) {
		d := s.dialer(t)
		d.Via = ViaPortForward
		killedInMidQuery(t, s, dial(t, d, "tcp", server(t, "tcp", echo)))
	})
}

// killedInMidQuery cuts the connection to the API server under a blocked Read.
func killedInMidQuery(t *testing.T, s *apiServer, c net.Conn) {
	t.Helper()
	if _, err := io.WriteString(c, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		failed <- err
	}()
	s.listener.kill()
	select {
	case err := <-failed:
		if !errors.Is(err, ErrLostConnection) || !errors.Is(err, rotation.ErrUnavailable) {
			t.Errorf("read: %v, want %v", err, ErrLostConnection)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the read hangs")
	}
	await(t, "writes to fail", func() bool { _, err := io.WriteString(c, "x"); return err != nil })
}

func TestPortForwardDeadlines(t *testing.T) {
	forEachProtocol(t, func(t *testing.T, s *apiServer) {
		d := s.dialer(t)
		d.Via = ViaPortForward
		honoursDeadlines(t, dial(t, d, "tcp", server(t, "tcp", echo)))
	})
}

// honoursDeadlines does what pgx does with a context: a deadline in the past ends a Read that waits; and after the
// deadline is lifted the connection works on.
func honoursDeadlines(t *testing.T, c net.Conn) {
	t.Helper()
	waiting := make(chan error, 1)
	go func() {
		_, err := c.Read(make([]byte, 1))
		waiting <- err
	}()
	_ = c.SetDeadline(time.Unix(1, 0))
	err := <-waiting
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("read: %v, want a timeout", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("write: %v, want a timeout", err)
	}
	_ = c.SetDeadline(time.Time{})
	if _, err := c.Write([]byte("ping")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != "ping" {
		t.Fatalf("read %q, %v", got, err)
	}
}

func TestPortForwardCloseLeavesNothing(t *testing.T) {
	forEachProtocol(t, func(t *testing.T, s *apiServer) {
		ended := make(chan struct{}, 16)
		address := server(t, "tcp", func(c net.Conn) { echo(c); ended <- struct{}{} })
		d := s.dialer(t)
		d.Via = ViaPortForward
		dial(t, d, "tcp", address).Close()
		<-ended
		noLeak(t)
		for range 5 {
			c := dial(t, d, "tcp", address)
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if err := c.Close(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("second close: %v", err)
			}
			if _, err := c.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
				t.Errorf("read after close: %v", err)
			}
			<-ended
		}
	})
}

// What is written before Close arrives, as the Terminate message of PostgreSQL must.
func TestPortForwardCloseFlushes(t *testing.T) {
	forEachProtocol(t, func(t *testing.T, s *apiServer) {
		got := make(chan []byte, 1)
		address := server(t, "tcp", func(c net.Conn) {
			all, _ := io.ReadAll(c)
			got <- all
		})
		d := s.dialer(t)
		d.Via = ViaPortForward
		c := dial(t, d, "tcp", address)
		sent := bytes.Repeat([]byte("last words "), 10_000)
		if _, err := c.Write(sent); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		if all := <-got; !bytes.Equal(all, sent) {
			t.Errorf("%d of %d bytes arrived", len(all), len(sent))
		}
	})
}
