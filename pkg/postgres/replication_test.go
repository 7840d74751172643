package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres/postgrestest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A standby that the primary lists and that is no node is silent: it is named, nothing is said of its sessions, and the login is not
// erased. Once it is a node, or is left alone on purpose, that ends.
func TestAStandbyThatIsNoNodeIsSilent(t *testing.T) {
	p := newPair(t)
	ctx := context.Background()
	c := p.next()
	p.eventually(c, rotation.Accepts)
	reader := *p.app
	reader.Cluster = p.standby
	conn := reader.opened(c)

	alone := p.via(viaScram)
	alone.PodAt = func(context.Context, string) string { return "" }
	use, err := alone.InUse(ctx, c)
	if err != nil || len(use.Silent) != 1 || use.Silent[0].Where != `standby "walreceiver" at a local socket` || len(use.Sessions) != 0 {
		t.Fatalf("%+v, %v: want the standby to be silent", use, err)
	}
	notes, asks, err := alone.Replicas(ctx)
	if err != nil || len(asks) != 1 || asks[0].Consent != rotation.ConsentUnknownNode || !strings.Contains(asks[0].Note, "none of the nodes") || len(notes) != 0 {
		t.Errorf("%v, %+v, %v: want it to be asked for", notes, asks, err)
	}
	places, err := alone.Standing(ctx, c)
	if err != nil || len(places) != 1 || places[0].Status != rotation.Accepts {
		t.Errorf("%v, %v: it holds up what lets a login in", places, err)
	}
	for name, effect := range map[string]func(context.Context, rotation.Fence, rotation.Credential) error{"revoke": alone.Revoke, "erase": alone.Erase} {
		err := effect(ctx, pass, c)
		if !errors.Is(err, rotation.ErrUnavailable) || !strings.Contains(err.Error(), "pg-0 sends its log to a standby that is none of the nodes") ||
			!strings.Contains(rotation.Hint(err), "postgres.standbys") || !strings.Contains(rotation.Hint(err), "--accept=unknown-node") {
			t.Errorf("%s: %v (%s), want to be told of the standby", name, err, rotation.Hint(err))
		}
	}
	if _, err := conn.Exec(ctx, "SELECT 1"); err != nil {
		t.Errorf("its session ended: %v", err)
	}

	left := p.via(viaScram)
	left.Agreed = func(kind string) bool { return kind == rotation.ConsentUnknownNode }
	p.must("revoke with the standby left alone", left.Revoke(ctx, pass, c))
	if use, err := left.InUse(ctx, c); err != nil || len(use.Silent) != 0 {
		t.Errorf("%+v, %v: it was left alone", use, err)
	}
	p.must("revoke at both", p.server.Revoke(ctx, pass, c))
	if _, err := conn.Exec(ctx, "SELECT 1"); err == nil {
		t.Error("the session at the standby outlived its login's revocation, though it is a node")
	}
}

// Nodes that come while a rotation is under way are discovered, and one that is gone is forgotten.
func TestNodesAreDiscoveredAnew(t *testing.T) {
	p := newPair(t)
	ctx := context.Background()
	s := p.via(viaScram)
	both, asked := p.both().Nodes, 0
	s.Discover = func(context.Context) ([]Node, error) {
		asked++
		return both, nil
	}
	use, err := s.InUse(ctx, p.current)
	if err != nil || len(use.Silent) != 0 || asked != 1 {
		t.Errorf("%+v, %v, asked %d times: want the standby to be found", use, err, asked)
	}
	if _, err := s.InUse(ctx, p.current); err != nil || asked != 1 {
		t.Errorf("%v, asked %d times: nothing is missing", err, asked)
	}
	p.must("halt", p.standby.Halt())
	both = both[:1]
	p.waits("the primary has noticed", func() bool {
		use, err := s.InUse(ctx, p.current)
		p.must("in use", err)
		return len(use.Silent) == 0
	})
	if len(s.admin) != 1 {
		t.Errorf("%d sessions are kept, want the primary's", len(s.admin))
	}
}

func (a *app) waits(what string, ok func() bool) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 5*time.Minute)
	defer cancel()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for !ok() {
		select {
		case <-ctx.Done():
			a.t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

// Subscribers, and programs that keep the log, let nobody in: they are no standbys. The server itself tells the one kind, and that nothing
// is replayed tells the other.
func TestOtherReceiversOfTheLogAreNoStandbys(t *testing.T) {
	primary := postgrestest.For(t, postgrestest.Config{Settings: map[string]string{"wal_level": "logical"}})
	a := &app{Cluster: primary, t: t, owner: "backend", database: "postgres"}
	a.sql("postgres", "CREATE ROLE backend LOGIN", "SELECT pg_create_logical_replication_slot('subscriber', 'test_decoding')",
		"SELECT pg_create_physical_replication_slot('archive', true)")
	s := a.via(viaScram)
	ctx := context.Background()
	notes, _, err := s.Replicas(ctx)
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "(archive)") {
		t.Errorf("%q, %v: want to be told of a standby that is away", notes, err)
	}
	receive := func(program string, args ...string) {
		t.Helper()
		cmd := exec.Command(primary.Program(program), append(args, "--host="+primary.Socket, fmt.Sprintf("--port=%d", primary.Port),
			"--username="+postgrestest.User, "--status-interval=1")...)
		a.must(program, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	}
	receive("pg_receivewal", "--slot=archive", "--directory="+t.TempDir())
	receive("pg_recvlogical", "--slot=subscriber", "--dbname=postgres", "--start", "--file="+t.TempDir()+"/out")
	a.waits("both receive", func() bool {
		return a.Value(t, "postgres", "SELECT count(*)::text FROM pg_stat_replication WHERE state = 'streaming' AND write_lsn IS NOT NULL") == "2"
	})
	if use, err := s.InUse(ctx, rotation.Credential{V: 1, ID: "backend"}); err != nil || len(use.Silent) != 0 {
		t.Errorf("%+v, %v: nobody can be connected there", use, err)
	}
}

// An admin that may not see where standbys are still knows how many there are.
func TestStandbysOfALimitedAdmin(t *testing.T) {
	p := newPair(t)
	ctx := context.Background()
	p.server.Admin = p.limitedAdmin("", p.owner)
	p.waits("the admin is known at the standby", func() bool {
		use, err := p.server.InUse(ctx, p.current)
		p.must("in use", err)
		return len(use.Silent) == 0
	})
	alone := p.via(viaScram)
	alone.Admin = p.server.Admin
	use, err := alone.InUse(ctx, p.current)
	if err != nil || len(use.Silent) != 1 || !strings.Contains(use.Silent[0].Where, "an address not shown to "+alone.Admin.User) {
		t.Errorf("%+v, %v: want a standby of which no address is known", use, err)
	}
	if err := alone.Erase(ctx, pass, p.current); !strings.Contains(rotation.Hint(err), "GRANT pg_read_all_stats") {
		t.Errorf("%v (%s), want the grant that shows the address", err, rotation.Hint(err))
	}
}

// Which walsenders lead to no node: nothing that a standby calls itself makes it one.
func TestStrangers(t *testing.T) {
	node := func(name string, addresses ...string) Node { return Node{Name: name, Addresses: addresses} }
	const conn = "user=r host=pg fallback_application_name=walreceiver sslmode=prefer"
	const named = "user=r application_name=pg-1 host=pg fallback_application_name=walreceiver sslmode=prefer"
	pg1 := node("pg-1", "10.0.0.1")
	for _, c := range []struct {
		name      string
		senders   []walsender
		receivers []receiver
		down      []Node
		want      []string
	}{
		{name: "nobody"},
		{name: "by address", senders: []walsender{{App: "a", Address: "10.0.0.1"}}, receivers: []receiver{{Conn: conn, at: pg1}}},
		{name: "an impostor with the name", senders: []walsender{{App: "pg-1", Address: "10.0.0.9"}},
			receivers: []receiver{{Conn: named, at: pg1}}, want: []string{"pg-1"}},
		{name: "an impostor beside it", senders: []walsender{{App: "pg-1", Address: "10.0.0.1"}, {App: "pg-1"}},
			receivers: []receiver{{Conn: named, at: pg1}}, want: []string{"pg-1"}},
		{name: "an impostor in the place of one that does not receive", senders: []walsender{{App: "walreceiver"}}, want: []string{"walreceiver"}},
		{name: "by name, through a sidecar", senders: []walsender{{App: "other", Address: "127.0.0.6"}, {App: "pg-1", Address: "127.0.0.6"}},
			receivers: []receiver{{Conn: named, at: pg1}}, want: []string{"other"}},
		{name: "by slot", senders: []walsender{{App: "walreceiver", Slot: "x"}, {App: "walreceiver", Slot: "y"}},
			receivers: []receiver{{Conn: conn, Slot: "y", at: node("pg-1")}}, want: []string{"walreceiver"}},
		{name: "by slot, from elsewhere", senders: []walsender{{App: "walreceiver", Slot: "y", Address: "10.9.9.9"}},
			receivers: []receiver{{Conn: conn, Slot: "y", at: pg1}}},
		{name: "another slot", senders: []walsender{{App: "walreceiver", Slot: "x"}},
			receivers: []receiver{{Conn: conn, Slot: "y", at: node("pg-1")}}, want: []string{"walreceiver"}},
		{name: "nothing is shown", senders: []walsender{{Hidden: true}, {Hidden: true}}, receivers: []receiver{{at: pg1}}, want: []string{""}},
		{name: "a node that is down, by address", senders: []walsender{{App: "a", Address: "10.0.0.1"}, {App: "b", Address: "10.0.0.2"}},
			down: []Node{pg1}, want: []string{"b"}},
		{name: "a node that is down, of no known address", senders: []walsender{{App: "a"}, {App: "b"}}, down: []Node{node("db.example")}, want: []string{"b"}},
		{name: "a standby of a standby", senders: []walsender{{App: "pg-1", Address: "10.0.0.1"}, {App: "walreceiver", Address: "10.0.0.7"}},
			receivers: []receiver{{Conn: named, at: pg1}}, want: []string{"walreceiver"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, w := range strangers(c.senders, c.receivers, c.down) {
				got = append(got, w.App)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// Nodes that are silent leave time for the others.
func TestSilentNodesLeaveTimeForThePrimary(t *testing.T) {
	a := newApp(t)
	s := a.via(viaScram)
	s.Timeout = 6 * time.Second
	var silent []Node
	for i := range 3 {
		hole, err := net.Listen("tcp", "127.0.0.1:0") // whose connections nobody takes
		a.must("listen", err)
		t.Cleanup(func() { _ = hole.Close() })
		silent = append(silent, Node{Name: fmt.Sprintf("hole-%d", i), Host: "127.0.0.1", Port: uint16(hole.Addr().(*net.TCPAddr).Port)})
	}
	s.Nodes = append(silent, s.Nodes...)
	use, err := s.InUse(context.Background(), a.current)
	if err != nil || len(use.Silent) != 3 {
		t.Errorf("%+v, %v: want the primary's answer, and three that are silent", use, err)
	}
}
