package redisacl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// fleet is the nodes as they were found at the beginning of one call.
type fleet struct {
	up   []*session
	down []lost
}

// lost is a node that could not be reached, or that others announce and that is none of ours.
type lost struct {
	name    string
	err     error
	unknown bool // it is none of ours: nobody logs in there
}

// whole is an error as long as a node could not be reached, and names every one.
func (f *fleet) whole() error {
	errs := make([]error, len(f.down))
	for i, d := range f.down {
		errs[i] = d.err
	}
	return errors.Join(errs...)
}

// silent are the nodes that could not be reached, as places of which nothing is known.
func (f *fleet) silent() (all []rotation.Standing) {
	for _, d := range f.down {
		all = append(all, rotation.Standing{Where: d.name, Status: rotation.Unknown, Proof: d.err.Error()})
	}
	return all
}

// with runs one call: it waits for its turn, bounds its time, and finds the nodes.
func (s *Server) with(ctx context.Context, do func(context.Context, *fleet) error) error {
	return s.turns.Do(ctx, s.timeout(), func(ctx context.Context) error {
		f, err := s.find(ctx)
		if err != nil {
			return err
		}
		return s.grant(do(ctx, f))
	})
}

// find connects to the nodes. Those that they announce are only compared with them: whoever may replicate can announce any address, and
// would be told the passwords of whoever logs in there.
func (s *Server) find(ctx context.Context) (*fleet, error) {
	nodes, err := s.Nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("finding the nodes: %w", err)
	}
	f := &fleet{}
	s.join(ctx, f, nodes...)
	announced, err := ask(ctx, f, func(ctx context.Context, n *session) ([]peer, error) { return n.peers(ctx) })
	if err != nil {
		return nil, fmt.Errorf("asking for the other nodes: %w", err)
	}
	for _, one := range announced {
		for _, p := range one.of {
			if slices.ContainsFunc(nodes, p.is) || slices.ContainsFunc(f.down, p.named) || f.knows(one.n, p) {
				continue
			}
			f.down = append(f.down, lost{name: p.address(), err: unknown(one.n, p), unknown: true})
		}
	}
	if len(f.up) == 0 {
		return nil, cmp.Or(f.whole(), serverconn.Unavailable(errors.New("there is no node of the Redis server")))
	}
	f.down = slices.DeleteFunc(f.down, s.without)
	return f, nil
}

// unknown is what is said of a node that n announces and that is none of ours.
func unknown(n *session, p peer) error {
	as := p.as
	if p.as == primary && n.config["master_link_status"] != "up" {
		as += ", to which it has no link now"
	}
	return rotation.WithHint(
		serverconn.Unavailable(fmt.Errorf("%s announces %s as %s, which is none of the nodes that are configured: nothing is asked or changed there", n.node.Name, p.address(), as)),
		"if it is a node, add it to the configuration (redis.nodes); if it is gone, have the server forget it; else agree with --accept="+rotation.ConsentUnknownNode)
}

// without says whether a call goes on without a node: one that is none of ours, where the operator has agreed to that, or where the value
// in use has leaked. Whoever stole it can announce such a node.
func (s *Server) without(d lost) bool {
	if !d.unknown || !s.Leaked && !s.agreed(rotation.ConsentUnknownNode) {
		return false
	}
	s.note(d.err.Error())
	return true
}

// join connects to nodes, as far as they can be reached, to all at once: each may be a tunnel of its own, and one that is silent must
// leave time for the others.
func (s *Server) join(ctx context.Context, f *fleet, nodes ...Node) {
	sessions, errs := make([]*session, len(nodes)), make([]error, len(nodes))
	atOnce(len(nodes), func(i int) { sessions[i], errs[i] = s.reach(ctx, nodes[i], s.conns[nodes[i].Name]) })
	if s.conns == nil {
		s.conns = map[string]*session{}
	}
	for i, node := range nodes {
		if errs[i] != nil {
			delete(s.conns, node.Name)
			f.down = append(f.down, lost{name: node.Name, err: errs[i]})
			continue
		}
		s.conns[node.Name] = sessions[i]
		f.up = append(f.up, sessions[i])
	}
}

// atOnce calls do with every number below n, and waits for all.
func atOnce(n int, do func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { do(i) })
	}
	all.Wait()
}

// answer is what a node has answered.
type answer[T any] struct {
	n  *session
	of T
}

// ask asks something of every node that was reached, of all at once, each within its own time. A node that does not answer counts as one
// that could not be reached, and leaves the others as they are; any other error is the first in the order of the nodes.
func ask[T any](ctx context.Context, f *fleet, question func(context.Context, *session) (T, error)) (all []answer[T], err error) {
	found, errs := make([]T, len(f.up)), make([]error, len(f.up))
	atOnce(len(f.up), func(i int) {
		ctx, cancel := context.WithTimeout(ctx, reachPatience)
		defer cancel()
		found[i], errs[i] = question(ctx, f.up[i])
		errs[i] = wrap(errs[i], "at %s", f.up[i].node.Name)
	})
	for i, n := range f.up {
		switch {
		case errs[i] == nil:
			all = append(all, answer[T]{n, found[i]})
		case ctx.Err() == nil && errors.Is(errs[i], rotation.ErrUnavailable):
			f.down = append(f.down, lost{name: n.node.Name, err: errs[i]})
		case err == nil:
			err = errs[i]
		}
	}
	f.up = make([]*session, len(all))
	for i, one := range all {
		f.up[i] = one.n
	}
	return all, err
}

// each is ask for what has no answer.
func (f *fleet) each(ctx context.Context, do func(context.Context, *session) error) error {
	_, err := ask(ctx, f, func(ctx context.Context, n *session) (struct{}, error) { return struct{}{}, do(ctx, n) })
	return err
}

// knows says whether p, which n names by an address of which nobody has heard, is a node that was reached: a Service stands in front
// of the primary, or what lies between the nodes shows them other addresses. What one of them replicates has an ID, which all
// have that replicate it.
func (f *fleet) knows(n *session, p peer) bool {
	replicas := 0
	for _, o := range f.up {
		if o == n || o.config["master_replid"] != n.config["master_replid"] {
			continue
		}
		if _, followed := o.config["slave0"]; p.as == primary && (o.config["role"] == "master" || followed) {
			return true
		}
		if o.config["role"] == "slave" {
			replicas++
		}
	}
	return p.as == replica && replicas >= n.replicas()
}

// replicas is how many follow n.
func (n *session) replicas() (count int) {
	for {
		if _, ok := n.config[fmt.Sprintf("slave%d", count)]; !ok {
			return count
		}
		count++
	}
}

// reach gives the session of a node, the one kept from the last call if it still answers.
func (s *Server) reach(ctx context.Context, node Node, kept *session) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, reachPatience)
	defer cancel()
	if kept != nil {
		if kept.node.Address == node.Address && kept.look(ctx) == nil {
			return kept, nil
		}
		kept.close()
	}
	n, err := s.login(ctx, node)
	if err != nil {
		return nil, wrap(err, "connecting to %s as %s", node.Name, s.admin())
	}
	if err = n.look(ctx); err == nil && s.alone {
		err = n.alone(ctx, s.admin())
	}
	if err != nil {
		n.close()
		return nil, wrap(s.grant(err), "at %s, as %s", node.Name, s.admin())
	}
	return n, nil
}

// peer is a node as another one names it.
type peer struct{ host, port, as string }

func (p peer) address() string { return net.JoinHostPort(p.host, p.port) }

func (p peer) named(d lost) bool { return d.name == p.address() }

// is says whether p means the node: by its address, or by a name of its own. A pod of a StatefulSet is called redis-1.redis by others.
func (p peer) is(n Node) bool {
	first, _, _ := strings.Cut(p.host, ".")
	return p.address() == n.Address || slices.Contains(n.Aliases, p.host) || net.ParseIP(p.host) == nil && first == n.Name
}

// What a node calls another one.
const (
	replica = "its replica"
	primary = "its primary"
)

// peers are the nodes that n names: its replicas, its primary, the members of its cluster.
func (n *session) peers(ctx context.Context) (all []peer, err error) {
	for i := range n.replicas() {
		fields := fields(n.config[fmt.Sprintf("slave%d", i)], ",")
		all = append(all, peer{fields["ip"], fields["port"], replica})
	}
	if n.config["role"] == "slave" {
		all = append(all, peer{n.config["master_host"], n.config["master_port"], primary})
	}
	if n.config["cluster_enabled"] != "1" {
		return all, nil
	}
	text, err := n.text(ctx, "CLUSTER", "NODES")
	for _, line := range strings.Split(text, "\n") {
		if p, ok := member(line); ok {
			all = append(all, p)
		}
	}
	return all, err
}

// member reads a line of CLUSTER NODES: "ID HOST:PORT@BUS,NAME FLAGS …". The node itself is none. One of which the cluster has lost
// the address is named by its ID: nobody knows the way to it.
func member(line string) (peer, bool) {
	words := strings.Fields(line)
	if len(words) < 3 || strings.Contains(words[2], "myself") {
		return peer{}, false
	}
	address, _, _ := strings.Cut(words[1], "@")
	colon := max(0, strings.LastIndex(address, ":")) // an IPv6 address has no brackets here
	host, port := address[:colon], strings.TrimPrefix(address[colon:], ":")
	return peer{cmp.Or(host, words[0]), port, "a member of its cluster"}, true
}

// fields are the values of "a=1,b=2", by their names.
func fields(text, separator string) map[string]string {
	all := map[string]string{}
	for _, pair := range strings.Split(text, separator) {
		name, value, _ := strings.Cut(pair, "=")
		all[name] = value
	}
	return all
}
