package redisacl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// thief is who has the leaked password of the application's user, and nothing else.
type thief struct {
	*app
	stop context.Context
	all  *sync.WaitGroup
}

// does runs a command on a connection of its own, which stays.
func (th thief) does(args ...any) connection {
	th.t.Helper()
	conn := th.opened(th.nodes[0], th.current)
	th.must(fmt.Sprint(args...), conn.Do(context.Background(), args...).Err())
	return conn
}

// repeats runs a command again and again on connections of its own, until the user is refused.
func (th thief) repeats(connections int, pause time.Duration, args ...any) {
	for range connections {
		th.all.Go(func() {
			client := th.nodes[0].Client(th.current.ID, string(th.current.Value.Reveal()))
			defer client.Close()
			for th.stop.Err() == nil {
				_ = client.Do(th.stop, args...).Err()
				select {
				case <-th.stop.Done():
				case <-time.After(pause):
				}
			}
		})
	}
}

// Whatever the leaked login can do by itself: it is replaced, its connections end, and it is refused.
func TestLeakedLoginCannotKeepItselfFromBeingReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		may      string
		settings []string
		does     func(thief)
	}{
		"names itself as this program": {"+client|setname", nil, func(th thief) { th.does("CLIENT", "SETNAME", Application) }},
		"names itself as a run":        {"+client|setname", nil, func(th thief) { th.does("CLIENT", "SETNAME", runs) }},
		"names itself as a Sentinel":   {"+client|setname", nil, func(th thief) { th.does("CLIENT", "SETNAME", "sentinel-0-cmd") }},
		"asks to replicate": {"+replconf +psync", nil, func(th thief) {
			th.does("REPLCONF", "ip-address", "203.0.113.9", "listening-port", "6379", "capa", "psync2")
		}},
		"poses as a replica": {"+replconf +psync", nil, func(th thief) { th.poses("203.0.113.9", 6379) }},
		"waits for a key":    {"+blpop ~*", nil, func(th thief) { th.repeats(3, time.Millisecond, "BLPOP", "config:none", 0) }},
		"watches":            {"+watch +multi ~*", nil, func(th thief) { th.does("WATCH", "config:a"); th.does("MULTI") }},
		"monitors":           {"+monitor", nil, func(th thief) { th.repeats(2, time.Millisecond, "MONITOR") }},
		"is never evicted":   {"+client|no-evict", nil, func(th thief) { th.does("CLIENT", "NO-EVICT", "on") }},
		"answers to nothing": {"+client|reply", nil, func(th thief) { th.repeats(1, time.Second, "CLIENT", "REPLY", "OFF") }},
		"keeps it busy with scripts": {"+eval", []string{"busy-reply-threshold 20"}, func(th thief) {
			th.repeats(3, time.Millisecond, "EVAL", "while true do end", 0)
		}},
		"pauses writers": {"+client|pause", nil, func(th thief) { th.repeats(1, 100*time.Millisecond, "CLIENT", "PAUSE", 60_000, "WRITE") }},
		"ends the administrator's connections": {"+client|kill", nil, func(th thief) {
			th.repeats(1, 50*time.Millisecond, "CLIENT", "KILL", "USER", Default)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, 1, redistest.Config{ACLFile: true, Settings: c.settings})
			a.nodes[0].Do(t, append([]any{"ACL", "SETUSER", "backend"}, anys(strings.Fields(c.may))...)...)
			a.server.Leaked = true
			stop, cancel := context.WithCancel(context.Background())
			th := thief{a, stop, new(sync.WaitGroup)}
			defer th.all.Wait()
			defer cancel()
			c.does(th)
			a.replaced()
		})
	}
}

// replaced has the answer to a leak take place at the server, as a run would: with what may pass tried again.
func (a *app) replaced() {
	a.t.Helper()
	ctx := context.Background()
	end := time.Now().Add(time.Minute)
	again := func(what string, do func() error) {
		a.t.Helper()
		err := do()
		for errors.Is(err, rotation.ErrUnavailable) && time.Now().Before(end) {
			err = do()
		}
		a.must(what, err)
	}
	again("preflight", func() error {
		_, asks, err := a.preflight()
		if len(asks) > 0 {
			a.t.Errorf("it asks for %+v", asks)
		}
		return err
	})
	var c rotation.Credential
	again("generate", func() (err error) { c, err = a.server.Generate(ctx, 2, a.current); return err })
	again("install", func() error { return a.server.Install(ctx, pass, c) })
	again("the new user is accepted", func() error {
		places, err := a.server.Standing(ctx, c)
		if err == nil && (len(places) != 1 || places[0].Status != rotation.Accepts) {
			err = fmt.Errorf("%w: it stands %+v", rotation.ErrUnavailable, places)
		}
		return err
	})
	again("revoke", func() error { return a.server.Revoke(ctx, pass, a.current) })
	if _, err := a.open(a.nodes[0], a.current); err == nil {
		a.t.Error("the leaked login is let in")
	}
	again("nobody is left", func() error {
		use, err := a.server.InUse(ctx, a.current)
		if err == nil && (len(use.Sessions) > 0 || len(use.Silent) > 0) {
			err = fmt.Errorf("%w: %+v", rotation.ErrUnavailable, use)
		}
		return err
	})
	again("erase", func() error { return a.server.Erase(ctx, pass, a.current) })
	a.stands(a.current, rotation.Absent, "")
}

// poses has the thief be a replica at an address of its choice.
func (th thief) poses(host string, port int) {
	th.t.Helper()
	conn, err := net.Dial("tcp", th.nodes[0].Address())
	th.must("dial", err)
	th.t.Cleanup(func() { _ = conn.Close() })
	lines := bufio.NewReader(conn)
	for _, command := range []string{
		fmt.Sprintf("AUTH %s %q", th.current.ID, th.current.Value.Reveal()),
		fmt.Sprintf("REPLCONF listening-port %d", port), "REPLCONF ip-address " + host, "PSYNC ? -1",
	} {
		_, err := fmt.Fprint(conn, command+"\r\n")
		th.must(command, err)
		line, err := lines.ReadString('\n')
		th.must(command, err)
		if !strings.HasPrefix(line, "+") {
			th.t.Fatalf("%s: %s", command, line)
		}
	}
	within(th.t, "it to be announced", func() bool {
		text, _ := th.nodes[0].Do(th.t, "INFO", "replication").(string)
		return strings.Contains(text, fmt.Sprintf("ip=%s,port=%d", host, port))
	})
}

// A replica that whoever has the leaked login makes up is told nothing: neither the administrator's password nor the new one. An ordinary
// rotation asks about it and waits; the answer to a leak goes on, and says so.
func TestReplicaThatIsMadeUpHearsNothing(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	a.nodes[0].Do(t, "ACL", "SETUSER", "backend", "+replconf", "+psync")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	a.must("listen", err)
	defer listener.Close()
	heard := make(chan string, 100)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			heard <- conn.RemoteAddr().String()
			_ = conn.Close()
		}
	}()
	th := thief{a, context.Background(), new(sync.WaitGroup)}
	th.poses("127.0.0.1", listener.Addr().(*net.TCPAddr).Port)

	_, asks, err := a.preflight()
	a.must("preflight", err)
	if len(asks) == 0 || asks[0].Consent != rotation.ConsentUnknownNode || asks[0].Name != listener.Addr().String() {
		t.Errorf("it asks for %+v, want the node to be named", asks)
	}
	c := a.generatedAnyway()
	if err := a.server.Install(context.Background(), pass, c); !errors.Is(err, rotation.ErrUnavailable) {
		t.Errorf("install: %v, want it to wait for the node", err)
	}
	if use, err := a.server.InUse(context.Background(), a.current); err != nil || len(use.Silent) != 1 {
		t.Errorf("in use: %+v (%v), want the node to be silent", use, err)
	}
	a.agreed = rotation.ConsentUnknownNode
	a.must("install, agreed to", a.server.Install(context.Background(), pass, c))
	a.stands(c, rotation.Accepts, "")
	if !strings.Contains(strings.Join(a.notes, "\n"), listener.Addr().String()) {
		t.Errorf("notes: %q, want the node to be named", a.notes)
	}
	a.agreed, a.server.Leaked = "", true
	a.must("revoke", a.server.Revoke(context.Background(), pass, a.current))
	select {
	case from := <-heard:
		t.Errorf("somebody came from %s to the replica that is made up", from)
	default:
	}
}

// generatedAnyway is a next user though a node is announced that is none of ours.
func (a *app) generatedAnyway() rotation.Credential {
	a.t.Helper()
	was := a.agreed
	a.agreed = rotation.ConsentUnknownNode
	defer func() { a.agreed = was }()
	return a.generated()
}

// Whoever has used up the connections keeps the new user from being tried, and not from being installed.
func TestConnectionsThatAreUsedUpHoldNoAnswerToALeakUp(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true, Settings: []string{"maxclients 20"}})
	a.server.Leaked = true
	ctx := context.Background()
	c := a.generated() // the administrator is connected
	within(t, "all connections to be used up", func() bool { _, err := a.open(a.nodes[0], a.current); return err != nil })
	a.must("install", a.server.Install(ctx, pass, c))
	a.stands(c, rotation.Accepts, "a login could not be tried")
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	a.opened(a.nodes[0], c)
}

// A node that is away does not keep the others from refusing the leaked login, and nothing is taken for done.
func TestNodeThatIsAwayHoldsOnlyTheEndOfAnAnswerToALeakUp(t *testing.T) {
	a := newApp(t, 2, redistest.Config{ACLFile: true})
	a.server.Leaked = true
	ctx := context.Background()
	a.must("kill", a.nodes[1].Kill())
	notes, asks, err := a.preflight()
	if err != nil || len(asks) > 0 || !strings.Contains(strings.Join(notes, "\n"), "redis-1") {
		t.Errorf("preflight: notes %q, asks %+v, error %v", notes, asks, err)
	}
	c := a.generated()
	if err := a.server.Install(ctx, pass, c); !errors.Is(err, rotation.ErrUnavailable) {
		t.Errorf("install: %v", err)
	}
	a.stands(c, rotation.Accepts, "")
	if err := a.server.Revoke(ctx, pass, a.current); !errors.Is(err, rotation.ErrUnavailable) {
		t.Errorf("revoke: %v", err)
	}
	if _, err := a.open(a.nodes[0], a.current); err == nil {
		t.Error("the node that is there lets the leaked login in")
	}
	places, err := a.server.Standing(ctx, rotation.Credential{ID: "backend"})
	a.must("standing", err)
	if len(places) != 2 || places[1].Status != rotation.Unknown {
		t.Errorf("it stands %+v, want redis-1 unknown", places)
	}
	a.must("resume", a.nodes[1].Resume())
	a.must("install", a.server.Install(ctx, pass, c))
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	a.stands(rotation.Credential{ID: "backend"}, rotation.Quarantined, "")
}
