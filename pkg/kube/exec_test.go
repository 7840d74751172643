package kube

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// relayPrograms are what a container may have, by the name that the relay gives them.
var relayPrograms = []struct {
	name string
	path []string // besides sh; NAME=PROGRAM is another program by that name
	unix bool     // reaches Unix sockets
	lazy bool     // notices a server that hangs up at the next write
	mute bool     // can't pass on the end of what we write
}{
	{name: "perl", path: []string{"perl"}, unix: true},
	{name: "python3", path: []string{"python3=/usr/bin/python3"}, unix: true},
	{name: "socat", path: []string{"socat"}, unix: true},
	{name: "bash", path: []string{"bash", "cat"}, mute: true},
	{name: "nc (busybox)", path: []string{"nc=busybox"}},
	{name: "nc (traditional)", path: []string{"nc=nc.traditional"}},
	{name: "ncat", path: []string{"ncat"}, unix: true, lazy: true},
	{name: "ncat", path: []string{"nc=ncat"}, unix: true, lazy: true},
	{name: "nc (openbsd)", path: []string{"nc=nc.openbsd"}, unix: true, lazy: true},
}

// container gives s a container that has sh and the programs, and a dialer that goes through it.
func (s *apiServer) container(t *testing.T, shell string, programs ...string) *Dialer {
	t.Helper()
	s.exec = newLocalExec(t)
	s.exec.link(t, "sh", shell)
	for _, p := range programs {
		name, program, other := strings.Cut(p, "=")
		if !other {
			program = name
		}
		s.exec.link(t, name, program)
	}
	d := s.dialer(t)
	d.Via = ViaExec
	return d
}

// relayed says what relayed the connection.
func relayed(c net.Conn) string { return c.(*conn).relay }

func TestRelays(t *testing.T) {
	for _, relay := range relayPrograms {
		t.Run(strings.Join(relay.path, ","), func(t *testing.T) {
			t.Parallel()
			start := func(t *testing.T) (*apiServer, *Dialer) {
				s := newAPIServer(t)
				t.Cleanup(func() { await(t, "the relay to leave nothing running", func() bool { return !s.exec.running() }) })
				return s, s.container(t, "dash", relay.path...)
			}
			t.Run("bytes", func(t *testing.T) {
				_, d := start(t)
				c := dial(t, d, "tcp", server(t, "tcp", echo))
				if got := relayed(c); got != relay.name {
					t.Errorf("relayed by %q, want %q", got, relay.name)
				}
				carriesBytesBothWays(t, c)
			})
			t.Run("deadlines", func(t *testing.T) {
				_, d := start(t)
				honoursDeadlines(t, dial(t, d, "tcp", server(t, "tcp", echo)))
			})
			t.Run("killed", func(t *testing.T) {
				s, d := start(t)
				killedInMidQuery(t, s, dial(t, d, "tcp", server(t, "tcp", echo)))
			})
			t.Run("refused", func(t *testing.T) {
				_, d := start(t)
				c := dial(t, d, "tcp", "127.0.0.1:1")
				_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
				if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNREFUSED) {
					t.Errorf("read: %v, want a refusal", err)
				}
			})
			t.Run("server hangs up", func(t *testing.T) {
				if relay.lazy {
					t.Skip("this program notices it at the next write only")
				}
				_, d := start(t)
				c := dial(t, d, "tcp", server(t, "tcp", hangUp))
				_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
				if got, err := io.ReadAll(c); err != nil || string(got) != "bye" {
					t.Errorf("read %q, %v, want bye and a clean end", got, err)
				}
			})
			t.Run("half close", func(t *testing.T) {
				if relay.mute {
					t.Skip("this program can't shut down one direction")
				}
				_, d := start(t)
				halfCloses(t, dial(t, d, "tcp", server(t, "tcp", answerAtEnd)))
			})
			t.Run("unix", func(t *testing.T) {
				if !relay.unix {
					t.Skip("this program knows no Unix sockets")
				}
				_, d := start(t)
				carriesBytesBothWays(t, dial(t, d, "unix", server(t, "unix", echo)))
			})
		})
	}
}

func TestRelayRunsInEveryShell(t *testing.T) {
	for _, shell := range []string{"dash", "bash", "busybox"} {
		for _, relay := range relayPrograms {
			t.Run(shell+"/"+relay.name, func(t *testing.T) {
				t.Parallel()
				s := newAPIServer(t)
				c := dial(t, s.container(t, shell, relay.path...), "tcp", server(t, "tcp", echo))
				if got := relayed(c); got != relay.name {
					t.Errorf("relayed by %q, want %q", got, relay.name)
				}
				carriesBytesBothWays(t, c)
			})
		}
	}
}

// A server that never hangs up must not keep a process in the container, where the program allows it.
func TestRelayLeavesADeafServer(t *testing.T) {
	for _, relay := range relayPrograms {
		t.Run(relay.name, func(t *testing.T) {
			switch relay.name {
			case "nc (busybox)", "ncat", "nc (openbsd)":
				t.Skip("this program waits for the server")
			}
			t.Parallel()
			s := newAPIServer(t)
			gone := make(chan struct{})
			t.Cleanup(func() { close(gone) })
			c := dial(t, s.container(t, "dash", relay.path...), "tcp", server(t, "tcp", func(net.Conn) { <-gone }))
			began := time.Now()
			_ = c.Close()
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("close took %v", took)
			}
			await(t, "the relay to end", func() bool { return !s.exec.running() })
		})
	}
}

func TestExecOverSPDY(t *testing.T) {
	s := newAPIServer(t)
	s.noSockets.Store(true)
	d := s.container(t, "dash", "perl")
	t.Run("bytes", func(t *testing.T) { carriesBytesBothWays(t, dial(t, d, "tcp", server(t, "tcp", echo))) })
	t.Run("half close", func(t *testing.T) { halfCloses(t, dial(t, d, "tcp", server(t, "tcp", answerAtEnd))) })
	t.Run("server hangs up", func(t *testing.T) {
		if got, err := io.ReadAll(dial(t, d, "tcp", server(t, "tcp", hangUp))); err != nil || string(got) != "bye" {
			t.Errorf("read %q, %v", got, err)
		}
	})
	t.Run("killed", func(t *testing.T) { killedInMidQuery(t, s, dial(t, d, "tcp", server(t, "tcp", echo))) })
}

func TestExecCloseLeavesNothing(t *testing.T) {
	for _, protocol := range []string{"websocket", "spdy"} {
		t.Run(protocol, func(t *testing.T) {
			s := newAPIServer(t)
			s.noSockets.Store(protocol == "spdy")
			d := s.container(t, "dash", "perl")
			address := server(t, "tcp", echo)
			_ = dial(t, d, "tcp", address).Close()
			await(t, "the relay to end", func() bool { return !s.exec.running() })
			noLeak(t)
			for range 3 {
				_ = dial(t, d, "tcp", address).Close()
			}
		})
	}
}

func TestExecWithoutAnyRelay(t *testing.T) {
	s := newAPIServer(t)
	_, err := s.container(t, "dash").DialContext(t.Context(), "tcp", "127.0.0.1:5432")
	if err == nil || !strings.Contains(err.Error(), "none of perl, python3, socat, bash, nc, ncat") {
		t.Errorf("dial: %v, want what was looked for", err)
	}
	if rotation.Hint(err) == "" {
		t.Error("no hint")
	}
}

func TestGreeterTakesTheGreetingOff(t *testing.T) {
	whole := greeting + "perl\nfirst bytes\nmore"
	for cut := range len(whole) {
		var got strings.Builder
		g := &greeter{to: &got, done: make(chan struct{})}
		for _, part := range []string{whole[:cut], whole[cut:]} {
			if n, err := g.Write([]byte(part)); err != nil || n != len(part) {
				t.Fatalf("cut at %d: wrote %d, %v", cut, n, err)
			}
		}
		if g.name != "perl" || got.String() != "first bytes\nmore" {
			t.Errorf("cut at %d: %q, %q", cut, g.name, got.String())
		}
	}
}

func TestExecWithoutShell(t *testing.T) {
	s := newAPIServer(t)
	s.exec = newLocalExec(t)
	s.exec.failed = errors.New(`failed to exec in container: unable to start container process: exec: "sh": executable file not found in $PATH`)
	d := s.dialer(t)
	d.Via = ViaExec
	_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:5432")
	if err == nil || !strings.Contains(err.Error(), "has no shell") || rotation.Hint(err) == "" {
		t.Errorf("dial: %v", err)
	}
}

// A shell that prints something of its own first is not taken for a server.
func TestExecWithAChattyShell(t *testing.T) {
	for name, text := range map[string]string{"a line": "welcome\n", "no end": strings.Repeat("x", 2*longestGreeting)} {
		t.Run(name, func(t *testing.T) {
			s := newAPIServer(t)
			s.exec = newLocalExec(t, "cat")
			script := "#!/bin/sh\nprintf %s '" + text + "'\nexec cat\n" // which waits for the end of stdin
			if err := os.WriteFile(filepath.Join(s.exec.path, "sh"), []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			d := s.dialer(t)
			d.Via = ViaExec
			_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:5432")
			if err == nil || !strings.Contains(err.Error(), "not the greeting") {
				t.Errorf("dial: %v", err)
			}
		})
	}
}

// No argument of the command changes with anything but the address.
func TestRelayCommandHoldsNoComment(t *testing.T) {
	command := relayCommand(target{port: 5432})
	if len(command) != 7 || command[0] != "sh" || command[5] != "127.0.0.1" || command[6] != "5432" {
		t.Errorf("command %q", command)
	}
	for line := range strings.Lines(command[2]) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			t.Errorf("line %q is a comment", line)
		}
	}
}

func TestSocketPathsThatARelayWouldMisread(t *testing.T) {
	s := newAPIServer(t)
	for _, path := range []string{"relative", "/a,b", "/a b", "/a:b", "/a'b", "/$(x)", ""} {
		if _, err := s.dialer(t).DialContext(context.Background(), "unix", path); err == nil {
			t.Errorf("socket %q was dialed", path)
		}
	}
	if got := s.seen(); len(got) > 0 {
		t.Errorf("requests %v", got)
	}
}
