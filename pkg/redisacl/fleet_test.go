package redisacl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// ACL rules are not replicated: a replica that becomes the primary must know the next user already.
func TestReplicaIsPromotedInMidRotation(t *testing.T) {
	a := newApp(t, 2, redistest.Config{ACLFile: true})
	ctx := context.Background()
	c := a.next()
	a.must("kill", a.nodes[0].Kill())
	a.nodes[1].Promote(t)
	a.opened(a.nodes[1], c)
	a.opened(a.nodes[1], a.current)

	// The old primary is away: the run says so, and nothing is taken for done.
	err := a.server.Revoke(ctx, pass, a.current)
	if !errors.Is(err, rotation.ErrUnavailable) || !strings.Contains(err.Error(), "redis-0") {
		t.Errorf("revoke: %v, want it to name the node that is away", err)
	}
	places, err := a.server.Standing(ctx, a.current)
	a.must("standing", err)
	if places[0].Where != "redis-1" || places[0].Status != rotation.Quarantined || places[1].Where != "redis-0" || places[1].Status != rotation.Unknown {
		t.Errorf("it stands %+v, want it refused at redis-1 and unknown at redis-0", places)
	}
	if use, err := a.server.InUse(ctx, a.current); err != nil || len(use.Silent) != 1 || use.Silent[0].Where != "redis-0" {
		t.Errorf("in use: %+v (%v), want redis-0 to be silent", use, err)
	}

	// It comes back with the old user in its file.
	a.must("resume", a.nodes[0].Resume())
	places, err = a.server.Standing(ctx, a.current)
	a.must("standing", err)
	if places[0].Status != rotation.Accepts {
		t.Errorf("the node that was away has it as %s", places[0].Status)
	}
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	a.stands(a.current, rotation.Quarantined, "")
	a.must("erase", a.server.Erase(ctx, pass, a.current))
	a.stands(a.current, rotation.Absent, "")
	a.stands(c, rotation.Accepts, "")
}

// A replica that was added after install is announced by its primary. As long as it is none of the configured nodes it is named, nobody logs
// in there, and it is waited for; once it is one, it gets the users of the others.
func TestNodeThatIsAddedInMidRotation(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	ctx := context.Background()
	c := a.next()
	added := a.nodes[0].ReplicaOf(t, redistest.Config{ACLFile: true, Users: []string{a.line(rules)}})

	places, err := a.server.Standing(ctx, c)
	a.must("standing", err)
	if len(places) != 2 || places[1].Status != rotation.Unknown || !strings.Contains(places[1].Proof, "its replica") {
		t.Errorf("it is none of the nodes: %+v", places)
	}
	if err := a.server.Revoke(ctx, pass, a.current); !errors.Is(err, rotation.ErrUnavailable) || !strings.Contains(err.Error(), added.Address()) {
		t.Errorf("revoke: %v, want it to name the node", err)
	}
	a.must("lift", a.server.Close())
	a.nodes = append(a.nodes, added)
	a.must("install", a.server.Install(ctx, pass, c))
	a.opened(added, c)
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	if _, err := a.open(added, a.current); err == nil {
		t.Error("the node that was added lets the old user in")
	}
}

// A replica may name its primary by a Service, and a primary its replicas by addresses that lie between them: they are known by what
// they replicate.
func TestNodesAreKnownByWhatTheyReplicate(t *testing.T) {
	a := newApp(t, 3, redistest.Config{ACLFile: true})
	a.server.Nodes = func(context.Context) (all []Node, _ error) {
		for i, n := range a.nodes { // under names and addresses that no other node has heard of
			node := Node{Name: fmt.Sprintf("pod-%d", i), Address: fmt.Sprintf("10.0.0.%d:6379", i)}
			node.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, n.Address())
			}
			all = append(all, node)
		}
		return all, nil
	}
	places, err := a.server.Standing(context.Background(), a.current)
	a.must("standing", err)
	if len(places) != 3 {
		t.Errorf("it stands at %+v, want three places", places)
	}
	a.stands(a.current, rotation.Accepts, "")
	all := a.server.Nodes
	a.server.Nodes = func(ctx context.Context) ([]Node, error) { // one replica nobody knows of
		nodes, err := all(ctx)
		return nodes[:2], err
	}
	places, err = a.server.Standing(context.Background(), a.current)
	a.must("standing", err)
	if len(places) < 3 || places[2].Status != rotation.Unknown || !strings.Contains(places[2].Proof, "its replica") {
		t.Errorf("it stands at %+v, want the replica that is not known to be named", places)
	}
}

// Members of a cluster are nodes where they are configured; the others are named.
func TestNodesOfACluster(t *testing.T) {
	a := &app{t: t}
	a.known("backend")
	a.nodes = redistest.Cluster(t, 3, redistest.Config{ACLFile: true, Users: []string{a.line(rules)}})
	all := a.nodes
	a.server = a.another()
	ctx := context.Background()
	c := a.next()
	a.alike(c, a.current)
	if places, err := a.server.Standing(ctx, c); err != nil || len(places) != 3 {
		t.Fatalf("it stands at %+v (%v), want all 3", places, err)
	}
	a.stands(c, rotation.Accepts, "")
	a.nodes = all[:2]
	places, err := a.server.Standing(ctx, c)
	a.must("standing", err)
	if len(places) != 3 || places[2].Where != all[2].Address() || places[2].Status != rotation.Unknown {
		t.Errorf("one of them is not configured: %+v", places)
	}
	a.nodes = all
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	a.must("erase", a.server.Erase(ctx, pass, a.current))
	for i, n := range a.nodes {
		if line := n.User(t, a.current.ID); line != "" {
			t.Errorf("node %d still has %s", i, line)
		}
	}
}

func TestNodesAreRecognisedByWhateverOthersCallThem(t *testing.T) {
	pod := Node{Name: "redis-1", Address: "10.0.0.7:6379", Aliases: []string{"10.0.0.7", "203.0.113.9"}}
	for host, known := range map[string]bool{
		"10.0.0.7": true, "203.0.113.9": true, "redis-1": true, "redis-1.redis.shop.svc.cluster.local": true,
		"redis-10": false, "10.0.0.8": false, "": false,
	} {
		if got := (peer{host: host, port: "6379"}).is(pod); got != known {
			t.Errorf("%q: known is %v", host, got)
		}
	}
}

func TestMembersOfAClusterAreAllNamed(t *testing.T) {
	for line, want := range map[string]peer{
		"07c3 127.0.0.1:30004@31004,host master - 0 1426238317239 4 connected 0-5460": {"127.0.0.1", "30004", "a member of its cluster"},
		"67ed fd00::7:6379@16379 slave,fail 07c3 1 2 6 disconnected":                  {"fd00::7", "6379", "a member of its cluster"},
		"292f :0@0 master,noaddr - 1 2 3 disconnected":                                {"292f", "0", "a member of its cluster"},
		"e7d1 10.0.0.7:6379@16379 myself,master - 0 0 1 connected":                    {},
		"": {},
	} {
		if got, ok := member(line); got != want || ok != (want != peer{}) {
			t.Errorf("%q: %+v", line, got)
		}
	}
}

// An operator who stalls between his look at the record and the command finds his connection gone: a run that began since has ended
// it before it looked.
func TestCommandOfAnOperatorWhoStalledComesToNothing(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	ctx := context.Background()
	c := a.next()
	a.server.Alone()
	asleep, wake, ended := make(chan bool), make(chan bool), make(chan error)
	go func() {
		ended <- a.server.Revoke(ctx, func(context.Context) error { asleep <- true; <-wake; return nil }, a.current)
	}()
	<-asleep
	next := a.another()
	next.Alone()
	if places, err := next.Standing(ctx, a.current); err != nil || places[0].Status != rotation.Accepts {
		t.Fatalf("before he wakes up it stands %+v (%v)", places, err)
	}
	close(wake)
	if err := <-ended; !errors.Is(err, rotation.ErrUnavailable) {
		t.Errorf("his effect ended with: %v", err)
	}
	if places, _ := next.Standing(ctx, a.current); places[0].Status != rotation.Accepts {
		t.Errorf("he has changed it all the same: %+v", places)
	}
	if _, err := a.another().Standing(ctx, c); err != nil { // a look from elsewhere ends nobody's connection
		t.Error(err)
	}
	if _, err := next.Standing(ctx, c); err != nil {
		t.Error(err)
	}
}

// A node that says nothing must not keep the others waiting for ever.
func TestSilentNodeIsSaidToBeUnknown(t *testing.T) {
	a := newApp(t, 2, redistest.Config{ACLFile: true})
	defer a.nodes[1].Pause(t)()
	start := time.Now()
	places, err := a.server.Standing(context.Background(), a.current)
	a.must("standing", err)
	if len(places) != 2 || places[1].Status != rotation.Unknown || time.Since(start) > reachPatience+5*time.Second {
		t.Errorf("after %v: %+v", time.Since(start), places)
	}
}

func TestSecureAndPlainPortsAreToldApart(t *testing.T) {
	for name, c := range map[string]redistest.Config{
		"plain": {ACLFile: true}, "secure": {ACLFile: true, TLS: certificate(t)},
	} {
		for _, mode := range []TLSMode{TLSAuto, TLSDisable, TLSRequire} {
			t.Run(fmt.Sprintf("%s, %s", name, mode), func(t *testing.T) {
				t.Parallel()
				a := newApp(t, 1, c)
				a.server.TLS.Mode = mode
				_, err := a.server.Standing(context.Background(), a.current)
				fits := mode == TLSAuto || (mode == TLSRequire) == (c.TLS != nil)
				if fits != (err == nil) {
					t.Errorf("%v", err)
				}
			})
		}
	}
}
