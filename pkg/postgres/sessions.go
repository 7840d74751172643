package postgres

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// InUse is every session that was opened as c.ID, on every node, whatever role it has been set to since and whatever it calls
// itself. Connections that this Server has made to try the login are left out. An admin without pg_read_all_stats still sees every session and what
// it calls itself, but not whence it comes: its address is then a phrase that says so. A node that cannot be
// reached is named as silent; without a primary it is an error.
func (s *Server) InUse(ctx context.Context, c rotation.Credential) (rotation.Usage, error) {
	usage := rotation.Usage{Known: true}
	err := s.with(ctx, func(ctx context.Context, cl *cluster) error {
		for _, d := range cl.silent() {
			usage.Silent = append(usage.Silent, rotation.Standing{Where: d.Name, Status: rotation.Unknown, Proof: d.why()})
		}
		all, err := cl.sessions(ctx, c.ID)
		usage.Sessions = s.attributed(ctx, slices.DeleteFunc(all, s.made))
		return err
	})
	if err != nil {
		return rotation.Usage{}, fmt.Errorf("sessions of %s: %w", c.ID, err)
	}
	return usage, nil
}

// backend is a process of a node that serves one connection.
type backend struct {
	node string
	pid  string
}

// tried takes down a connection that was made to try a login.
func (s *Server) tried(node string, conn *pgx.Conn) {
	s.trying.Lock()
	defer s.trying.Unlock()
	if s.tries == nil {
		s.tries = map[backend]time.Time{}
	}
	maps.DeleteFunc(s.tries, func(_ backend, at time.Time) bool { return time.Since(at) > loginPatience })
	s.tries[backend{node, pid(conn)}] = time.Now()
}

// made says whether this Server has just made a session to try a login. The server says which process serves a connection; nobody can
// choose that. Other processes' tries count like any session, for as long as they last.
func (s *Server) made(a rotation.Session) bool {
	s.trying.Lock()
	defer s.trying.Unlock()
	at, ours := s.tries[backend{a.Node, a.ID}]
	return ours && time.Since(at) <= loginPatience
}

// connections are the processes of a node that serve this Server: the admin, and tries of a login.
func (s *Server) connections(node string) []string {
	all := []string{}
	for _, n := range s.admin {
		if n.node.Name == node {
			all = append(all, pid(n.conn))
		}
	}
	s.trying.Lock()
	defer s.trying.Unlock()
	for b := range s.tries {
		if b.node == node {
			all = append(all, b.pid)
		}
	}
	return all
}

func pid(conn *pgx.Conn) string { return strconv.FormatUint(uint64(conn.PgConn().PID()), 10) }

// activity is a row of pg_stat_activity.
type activity struct {
	PID     string
	Address string
	App     string
	Since   time.Time
	Hidden  bool
}

// sessions are all of one login's, on the nodes that were reached.
func (c *cluster) sessions(ctx context.Context, login string) (all []rotation.Session, err error) {
	for _, n := range c.nodes() {
		rows, err := list(ctx, n, pgx.RowToStructByPos[activity], `
			SELECT a.pid::text, coalesce(host(a.client_addr), ''), coalesce(a.application_name, ''),
				coalesce(a.backend_start, 'epoch'), coalesce(a.query = '<insufficient privilege>', false)
			FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
			WHERE r.rolname = $1 AND a.backend_type IS DISTINCT FROM 'parallel worker'
			ORDER BY a.pid`, login)
		if err != nil {
			return nil, wrap(err, "reading pg_stat_activity of %s", n.node.Name)
		}
		for _, a := range rows {
			if a.Hidden {
				a.Address = "an address not shown to " + n.user
			}
			all = append(all, rotation.Session{ID: a.PID, Node: n.node.Name, Address: a.Address, App: a.App, Since: a.Since})
		}
	}
	return all, nil
}

// describe names sessions for people.
func describe(all []rotation.Session) string {
	var names []string
	for _, a := range all {
		names = append(names, fmt.Sprintf("pid %s on %s from %s (%s)", a.ID, a.Node, cmp.Or(a.Address, "a local socket"), cmp.Or(a.App, "no name")))
	}
	return strings.Join(names, ", ")
}

// The rests between two looks at something that is about to change.
const glance = 20 * time.Millisecond

// until looks again and again until ok, an error, or the end of patience; the last two give false.
func until(ctx context.Context, patience time.Duration, ok func(context.Context) (bool, error)) (bool, error) {
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		if done, err := ok(ctx); done || err != nil {
			return done, err
		}
		select {
		case <-ctx.Done():
			return false, serverconn.Unavailable(ctx.Err())
		case <-end.C:
			return false, nil
		case <-tick.C:
		}
	}
}
