package postgres

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// Replicas are the standbys that a node lists in pg_stat_replication and that are no nodes, each to be agreed to, and notes on those
// that are away. What a standby calls itself is a claim, and its address may be anybody's: the admin never logs in there.
func (s *Server) Replicas(ctx context.Context) (notes []string, asks []rotation.Item, err error) {
	err = s.with(ctx, func(ctx context.Context, cl *cluster) error {
		for _, d := range cl.unasked {
			asks = append(asks, rotation.Item{
				Name: d.Name, Phase: rotation.Doubtful, Consent: rotation.ConsentUnknownNode,
				Note: d.why(),
			})
		}
		away, err := list(ctx, cl.primary, pgx.RowTo[string], `
			SELECT slot_name::text FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT active AND NOT temporary ORDER BY 1`)
		if len(away) > 0 {
			notes = append(notes, fmt.Sprintf("%s keeps its log for standbys that are not connected to it now (%s): their sessions are not seen",
				cl.primary.node.Name, strings.Join(away, ", ")))
		}
		return err
	})
	return notes, asks, wrap(err, "comparing the nodes with pg_stat_replication")
}

// Addresses are those at which the nodes themselves say that they answer.
func (s *Server) Addresses(ctx context.Context) (all []string, err error) {
	err = s.with(ctx, func(ctx context.Context, cl *cluster) error {
		for _, n := range cl.nodes() {
			address, err := one[string](ctx, n, "SELECT coalesce(host(inet_server_addr()), '')")
			if err != nil {
				return err
			}
			all = append(all, address)
		}
		return nil
	})
	return all, wrap(err, "asking for the server's own address")
}

// walsender is a process that sends the log of a node to a standby.
type walsender struct {
	App     string // what the standby calls itself
	Address string // "" for a local socket
	Slot    string
	Hidden  bool // the admin may not see the address
	at      *session
}

// walsenders are those of a node that lead to standbys. The server itself tells a logical one, and a backup, apart. What receives the
// log and says that it replays none of it, as pg_receivewal does, lets nobody in.
func (n *session) walsenders(ctx context.Context) ([]walsender, error) {
	all, err := list(ctx, n, func(row pgx.CollectableRow) (walsender, error) {
		w := walsender{at: n}
		return w, row.Scan(&w.App, &w.Address, &w.Slot, &w.Hidden)
	}, `
		SELECT coalesce(r.application_name, ''), coalesce(host(r.client_addr), ''), coalesce(s.slot_name::text, ''), r.state IS NULL
		FROM pg_stat_replication r LEFT JOIN pg_replication_slots s ON s.active_pid = r.pid
		WHERE s.slot_type IS DISTINCT FROM 'logical' AND coalesce(r.state, '') NOT IN ('startup', 'backup')
			AND (r.write_lsn IS NULL OR r.replay_lsn IS NOT NULL)
		ORDER BY r.pid`)
	return all, wrap(err, "reading pg_stat_replication of %s", n.node.Name)
}

// receiver is the other end of a walsender, as a standby's own catalogue has it.
type receiver struct {
	Slot string
	Conn string // the connection string, without passwords; "" where the admin may not see it
	at   Node
}

// receiver is that of a standby, if it receives just now.
func (n *session) receiver(ctx context.Context) ([]receiver, error) {
	own, err := list(ctx, n, func(row pgx.CollectableRow) (receiver, error) {
		r := receiver{at: n.node}
		return r, row.Scan(&r.Slot, &r.Conn)
	}, "SELECT coalesce(slot_name, ''), coalesce(conninfo, '') FROM pg_stat_wal_receiver WHERE coalesce(status, 'streaming') = 'streaming'")
	return own, wrap(err, "reading pg_stat_wal_receiver of %s", n.node.Name)
}

// compare looks for standbys that a node lists and that are no nodes. The standbys of a standby are listed by that one.
func (s *Server) compare(ctx context.Context, cl *cluster) error {
	if s.Agreed != nil && s.Agreed(rotation.ConsentUnknownNode) {
		return nil
	}
	var senders []walsender
	for _, n := range cl.nodes() {
		more, err := n.walsenders(ctx)
		if err != nil {
			return err
		}
		senders = append(senders, more...)
	}
	if len(senders) == 0 {
		return nil
	}
	var receivers []receiver
	var down []Node
	for _, n := range cl.standbys {
		more, err := n.receiver(ctx)
		if err != nil {
			return err
		}
		receivers = append(receivers, more...)
	}
	for _, d := range cl.down {
		down = append(down, d.Node)
	}
	for _, w := range strangers(senders, receivers, down) {
		cl.unasked = append(cl.unasked, s.unasked(ctx, w))
	}
	return nil
}

// strangers are the walsenders that lead to no node: neither to its address, nor to what a standby says that it is connected by. Each
// standby has one. A node that is down and whose address is not known may be any of them, and is waited for anyway.
func strangers(senders []walsender, receivers []receiver, down []Node) []walsender {
	known := slices.Clone(down)
	for _, r := range receivers {
		known = append(known, r.at)
	}
	left := slices.DeleteFunc(slices.Clone(senders), func(w walsender) bool {
		return slices.ContainsFunc(known, func(n Node) bool { return n.has(w.Address) })
	})
	receivers = slices.DeleteFunc(slices.Clone(receivers), func(r receiver) bool {
		return slices.ContainsFunc(senders, func(w walsender) bool { return r.at.has(w.Address) })
	})
	for _, same := range []func(receiver, walsender) bool{receiver.hasSlot, receiver.mayBe} {
		receivers = slices.DeleteFunc(receivers, func(r receiver) bool {
			i := slices.IndexFunc(left, func(w walsender) bool { return same(r, w) })
			if i >= 0 {
				left = slices.Delete(left, i, i+1)
			}
			return i >= 0
		})
	}
	for _, n := range down {
		if len(n.Addresses) == 0 && len(left) > 0 {
			left = left[1:]
		}
	}
	return left
}

// has says whether the node connects to others from an address.
func (n Node) has(address string) bool { return address != "" && slices.Contains(n.Addresses, address) }

// same says whether two nodes can be told apart by nothing.
func (n Node) same(other Node) bool {
	return n.Name == other.Name && n.Host == other.Host && n.Port == other.Port && slices.Equal(n.Addresses, other.Addresses)
}

// hasSlot says whether a receiver is sent the log by the slot that a walsender holds, which nobody else can hold meanwhile.
func (r receiver) hasSlot(w walsender) bool { return r.Slot != "" && r.Slot == w.Slot }

// mayBe says whether a receiver may be the other end of a walsender, as far as the two can be compared.
func (r receiver) mayBe(w walsender) bool {
	if r.Conn != "" && r.Slot != w.Slot {
		return false
	}
	if name := r.name(); name != "" && name != w.App {
		return false
	}
	from, err := netip.ParseAddr(w.Address)
	return err != nil || from.IsLoopback() || len(r.at.Addresses) == 0 // a sidecar that forwards the connection comes from loopback
}

var keyword = regexp.MustCompile(` [a-z_]+=`)

// name is what a receiver calls itself to its walsender; "" where that is not known, or is not what the walsender would have made of it.
func (r receiver) name() string {
	for _, own := range []string{" application_name=", " fallback_application_name="} {
		_, value, found := strings.Cut(" "+r.Conn, own)
		if !found {
			continue
		}
		if next := keyword.FindStringIndex(value); next != nil {
			value = value[:next[0]]
		}
		if len(value) < 64 && !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
			return value
		}
		return ""
	}
	return ""
}

// unasked is the standby at the other end of a walsender that leads to no node.
func (s *Server) unasked(ctx context.Context, w walsender) downNode {
	where := cmp.Or(w.Address, "a local socket")
	if w.Hidden {
		where = "an address not shown to " + w.at.user
	} else if s.PodAt != nil && w.Address != "" {
		if pod := s.PodAt(ctx, w.Address); pod != "" {
			where += ", " + pod
		}
	}
	hint := "name it in the configuration (postgres.standbys), or leave it out with --accept=" + rotation.ConsentUnknownNode
	if w.Hidden {
		hint = fmt.Sprintf("GRANT pg_read_all_stats TO %s to see its address; then %s", ident(w.at.user), hint)
	}
	err := serverconn.Unavailable(fmt.Errorf("%s sends its log to a standby that is none of the nodes: its sessions are neither seen nor ended", w.at.node.Name))
	return downNode{
		Node: Node{Name: fmt.Sprintf("standby %q at %s", w.App, where)},
		err:  rotation.WithHint(err, hint),
	}
}
