package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// cluster is the nodes as they were found at the beginning of one call.
type cluster struct {
	primary  *session
	standbys []*session
	down     []downNode // nodes that could not be reached
	unasked  []downNode // standbys that a node lists and that are no nodes
}

type downNode struct {
	Node
	err error
}

// why says why a node is silent, and what to do about it.
func (d downNode) why() string {
	if hint := rotation.Hint(d.err); hint != "" {
		return fmt.Sprintf("%v (%s)", d.err, hint)
	}
	return d.err.Error()
}

// nodes are all that were reached, the primary first.
func (c *cluster) nodes() []*session { return append([]*session{c.primary}, c.standbys...) }

// whole is an error as long as a node could not be reached, or a standby is listed that is no node.
func (c *cluster) whole() error {
	for _, d := range c.silent() {
		return d.err
	}
	return nil
}

// silent are the servers of whose sessions nothing is known. A standby that is no node holds up what ends a login, and not what lets one
// in: that is agreed to before a rotation begins.
func (c *cluster) silent() []downNode { return slices.Concat(c.down, c.unasked) }

// session is the admin's connection to one node. It stays open from call to call.
type session struct {
	node Node
	user string // the admin's
	conn *pgx.Conn

	// read at the beginning of each call
	standby  bool
	version  int  // as server_version_num has it: 150020
	super    bool // the admin may do anything
	readable bool // the admin may read stored verifiers
}

// with runs one call: it waits for its turn, bounds its time, and finds the nodes.
func (s *Server) with(ctx context.Context, do func(context.Context, *cluster) error) error {
	return s.turns.Do(ctx, s.timeout(), func(ctx context.Context) error {
		cl, err := s.find(ctx)
		if err != nil {
			return err
		}
		return do(ctx, cl)
	})
}

// find connects to the nodes and tells the primary from the standbys. Where something is missing, the nodes may have changed:
// they are discovered anew.
func (s *Server) find(ctx context.Context) (*cluster, error) {
	nodes := s.Nodes
	if s.found != nil {
		nodes = s.found
	}
	if err := s.valid(nodes); err != nil {
		return nil, err
	}
	cl, err := s.meet(ctx, nodes)
	if s.Discover == nil || err == nil && len(cl.silent()) == 0 {
		return cl, err
	}
	if now, failed := s.Discover(ctx); failed == nil && len(now) > 0 && !slices.EqualFunc(now, nodes, Node.same) {
		s.found = now
		s.dismiss(now)
		return s.meet(ctx, now)
	}
	return cl, err
}

// meet connects to all nodes side by side, so that silent ones leave time for the others.
func (s *Server) meet(ctx context.Context, nodes []Node) (*cluster, error) {
	sessions, errs := make([]*session, len(nodes)), make([]error, len(nodes))
	var reaching sync.WaitGroup
	for i, node := range nodes {
		kept := s.admin[node.Name]
		reaching.Go(func() { sessions[i], errs[i] = s.reach(ctx, node, kept) })
	}
	reaching.Wait()
	cl := &cluster{}
	var two error
	for i, node := range nodes {
		if errs[i] != nil {
			delete(s.admin, node.Name)
			cl.down = append(cl.down, downNode{node, errs[i]})
			continue
		}
		n := sessions[i]
		s.keep(node.Name, n)
		switch {
		case n.standby:
			cl.standbys = append(cl.standbys, n)
		case cl.primary == nil:
			cl.primary = n
		case two == nil:
			two = rotation.WithHint(
				fmt.Errorf("both %s and %s say that they are the primary", cl.primary.node.Name, node.Name),
				"name the nodes of one cluster only, or mend the one that is split")
		}
	}
	switch {
	case two != nil:
		return nil, two
	case cl.primary == nil:
		return cl, cl.noPrimary()
	}
	return cl, s.compare(ctx, cl)
}

func (s *Server) valid(nodes []Node) error {
	if len(nodes) == 0 {
		return errors.New("no node of the PostgreSQL server is named")
	}
	seen := map[string]bool{}
	for _, n := range nodes {
		if seen[n.Name] {
			return fmt.Errorf("two nodes of the PostgreSQL server have the name %q", n.Name)
		}
		seen[n.Name] = true
	}
	if s.Admin.User == "" {
		return errors.New("no admin of the PostgreSQL server is named")
	}
	return cmp.Or(validMode(s.TLS), s.Auth.valid())
}

var errNoPrimary = errors.New("no primary found")

// noPrimary says why nothing can be changed: a node that could not be reached may be the primary.
func (c *cluster) noPrimary() error {
	mayPass := func(d downNode) bool { return errors.Is(d.err, rotation.ErrUnavailable) }
	if len(c.standbys) == 0 && (len(c.down) == 1 || !slices.ContainsFunc(c.down, mayPass)) {
		return c.down[0].err
	}
	var names []string
	for _, n := range c.standbys {
		names = append(names, n.node.Name+" is a standby")
	}
	for _, d := range c.down {
		names = append(names, d.err.Error())
	}
	err := serverconn.Unavailable(fmt.Errorf("%w: %s", errNoPrimary, strings.Join(names, "; ")))
	return rotation.WithHint(err, "point at the primary, or wait until the failover is over")
}

// reachPatience is how long one node may take to be connected to. It is less than a call has, so that one that is silent leaves
// time for what is to be done at the others.
func (s *Server) reachPatience() time.Duration { return min(10*time.Second, s.timeout()/3) }

// reach gives the session of a node, the one kept from the last call if it still answers.
func (s *Server) reach(ctx context.Context, node Node, kept *session) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, s.reachPatience())
	defer cancel()
	if kept != nil {
		if kept.look(ctx) == nil {
			return kept, nil
		}
		kept.hangUp()
	}
	n, err := s.login(ctx, node)
	if err == nil {
		err = n.look(ctx)
	}
	if err != nil {
		return nil, wrap(err, "connecting to %s as %s", node.Name, s.Admin.User)
	}
	return n, nil
}

// dismiss ends the sessions at all but nodes.
func (s *Server) dismiss(nodes []Node) {
	for key, n := range s.admin {
		if !slices.ContainsFunc(nodes, func(node Node) bool { return node.Name == n.node.Name }) {
			n.hangUp()
			delete(s.admin, key)
		}
	}
}

// login connects the admin to the database in which all operators meet: advisory locks are per database.
func (s *Server) login(ctx context.Context, node Node) (*session, error) {
	first := cmp.Or(s.Admin.Database, "postgres")
	n, err := s.enter(ctx, node, first)
	if err != nil {
		return nil, err
	}
	meeting, err := one[string](ctx, n, `
		SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate
		ORDER BY datname <> 'postgres', oid LIMIT 1`)
	if err != nil || meeting == first {
		return n, err
	}
	n.hangUp()
	return s.enter(ctx, node, meeting)
}

func (s *Server) enter(ctx context.Context, node Node, database string) (*session, error) {
	admin := who{
		user: s.Admin.User, password: s.Admin.Password, database: database, method: s.adminMethods(),
		params: map[string]string{
			"search_path":                         "pg_catalog",
			"client_encoding":                     "UTF8",
			"standard_conforming_strings":         "on",
			"datestyle":                           "ISO",
			"timezone":                            "UTC",
			"default_transaction_read_only":       "off",
			"statement_timeout":                   milliseconds(2 * s.lockWait()),
			"lock_timeout":                        milliseconds(s.lockWait()),
			"idle_in_transaction_session_timeout": milliseconds(s.stall()),
		},
	}
	conn, err := s.connect(ctx, node, admin)
	if node.Local != nil && s.Admin.lacks(err) {
		conn, err = node.local(ctx, admin, err)
	}
	if err != nil {
		return nil, s.Admin.admission(fmt.Errorf("database %s: %w", database, err))
	}
	return &session{node: node, user: s.Admin.User, conn: conn}, nil
}

// local connects over the node's Unix socket, after it was refused with an error elsewhere.
func (n Node) local(ctx context.Context, admin who, instead error) (*pgx.Conn, error) {
	n.Dial = n.Local
	conn, err := connect(ctx, TLS{Mode: TLSDisable}, n, admin)
	if err == nil {
		return conn, nil
	}
	failed := fmt.Errorf("%w; over its Unix socket: %w", instead, err)
	if code(err) == codeNotAuthorized {
		return nil, rotation.WithHint(failed, fmt.Sprintf("the server lets its own operating system user in there (peer), who has to be called %q: "+
			"name the admin's password instead (postgres.admin.secret)", admin.user))
	}
	return nil, rotation.WithHint(failed, cmp.Or(rotation.Hint(err), "name the Secret that holds the admin's password (postgres.admin.secret)"))
}

// adminMethods are those by which the admin authenticates: by a password as far as there is one, and not at all where the server knows it
// otherwise (trust, peer, a certificate).
func (s *Server) adminMethods() string {
	if s.Admin.Password.Empty() {
		return "none"
	}
	return s.Auth.methods(s.TLS) + ",none"
}

// look asks a node what it is; it also tells whether the session still lives.
func (n *session) look(ctx context.Context) error {
	row := n.conn.QueryRow(ctx, `
		SELECT pg_is_in_recovery(), current_setting('server_version_num')::int,
			(SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
			has_column_privilege('pg_authid', 'rolpassword', 'SELECT')`)
	return n.explain(row.Scan(&n.standby, &n.version, &n.super, &n.readable))
}

// farewell is how long the end of the admin's session may take; by then the server has been told.
const farewell = 100 * time.Millisecond

func (n *session) hangUp() {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	_ = n.conn.Close(ctx)
}

// explain is explain, for a connection of which it can be seen whether it still stands.
func (n *session) explain(err error) error {
	err = explain(err)
	if err == nil || !n.conn.IsClosed() || errors.Is(err, rotation.ErrUnavailable) || errors.Is(err, context.Canceled) {
		return err
	}
	return serverconn.Unavailable(fmt.Errorf("the connection was lost: %w", err))
}

// exec runs one statement.
func (n *session) exec(ctx context.Context, sql string, args ...any) error {
	_, err := n.conn.Exec(ctx, sql, args...)
	return n.explain(err)
}

// one runs a query for a single value.
func one[T any](ctx context.Context, n *session, sql string, args ...any) (value T, err error) {
	err = n.explain(n.conn.QueryRow(ctx, sql, args...).Scan(&value))
	return value, err
}

// list runs a query for rows, each a T: a plain value, or a struct whose fields are the columns in their order.
func list[T any](ctx context.Context, n *session, to pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	rows, err := n.conn.Query(ctx, sql, args...)
	if err != nil {
		return nil, n.explain(err)
	}
	values, err := pgx.CollectRows(rows, to)
	return values, n.explain(err)
}

// wrap says what was being done, and keeps nil nil.
var wrap = serverconn.Wrap
