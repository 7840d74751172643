package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// ours is how many connections a rotation itself takes at a time, which are not counted otherwise: the admin's, and those
// that try a login.
func (p *preflight) ours() int { return 1 + min(max(1, len(p.dbs)), atOnce) }

// room is how many connections there are, for all databases or for one.
type room struct {
	Where string
	Limit int // -1 is none
	Used  int
	Mine  int // of these, by the login in use
}

func (r room) free() int { return r.Limit - r.Used }

// headroom wants room for the overlap: while the application rolls, each of its connections may have a second one
// beside it. A role's own limit does not count: the new login has one of its own.
func (p *preflight) headroom(ctx context.Context, current rotation.Credential) error {
	rooms, err := p.s.rooms(ctx, p.n, current.ID, p.dbs)
	if err != nil {
		return err
	}
	for _, r := range rooms {
		if need := r.Mine + p.ours(); r.free() < need {
			return rotation.Refuse(rotation.WithHint(
				fmt.Errorf("%s has %d connections left of %d: while %d of %s are doubled, %d are needed",
					r.Where, max(0, r.free()), r.Limit, r.Mine, current.ID, need),
				"raise the limit, or have the application use fewer connections"))
		}
		if most := int(float64(r.Mine) * p.s.Growth); most > r.Mine && r.Limit-(r.Used-r.Mine) < 2*most+p.ours() {
			p.note("%s has %d connections: once autoscalers have made as many pods as they may, %s takes %d of them, and twice that while it rolls",
				r.Where, r.Limit, current.ID, most)
		}
	}
	return nil
}

// rooms are the limits that a login's connections count for: the server's, and those of databases that have one.
func (s *Server) rooms(ctx context.Context, n *session, login string, databases []string) ([]room, error) {
	rooms, err := list(ctx, n, pgx.RowToStructByPos[room], `
		WITH clients AS (
			SELECT a.datid, r.rolname IS NOT NULL AS mine FROM pg_stat_activity a
			LEFT JOIN pg_roles r ON r.oid = a.usesysid AND r.rolname = $1
			WHERE coalesce(a.backend_type, 'client backend') = 'client backend' AND a.pid::text <> ALL ($3::text[]))
		SELECT 'the server', current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
				- coalesce(current_setting('reserved_connections', true)::int, 0),
			count(*)::int, count(*) FILTER (WHERE mine)::int FROM clients
		UNION ALL
		SELECT format('database %I', d.datname), d.datconnlimit, count(c.datid)::int, count(*) FILTER (WHERE c.mine)::int
			FROM pg_database d LEFT JOIN clients c ON c.datid = d.oid
			WHERE d.datconnlimit >= 0 AND d.datname = ANY ($2::text[]) GROUP BY d.oid, d.datname, d.datconnlimit`,
		login, databases, s.connections(n.node.Name))
	return rooms, wrap(err, "counting connections")
}

// makeRoom lets pods with c connect although whoever has a leaked login has taken the connections that there are: sessions of that login are
// ended unless they come from pods of this target or a pooler, and no more than those may be open. Its limit stays so.
func (s *Server) makeRoom(ctx context.Context, n *session, f rotation.Fence, c rotation.Credential) error {
	if s.Leaked == "" || c.Meta[MetaModel] != s.Leaked {
		return nil
	}
	all, err := (&cluster{primary: n}).sessions(ctx, s.Leaked)
	if err != nil {
		return err
	}
	var kept, strangers []string
	poolers := s.poolers(ctx)
	for _, a := range all {
		if poolers[a.Address] != "" || s.Own != nil && s.Own(ctx, a.Address) {
			kept = append(kept, a.ID)
		} else {
			strangers = append(strangers, a.ID)
		}
	}
	sub, err := s.subject(ctx, n, c)
	if err != nil {
		return err
	}
	databases, err := n.databases(ctx, sub)
	if err != nil {
		return err
	}
	rooms, err := s.rooms(ctx, n, s.Leaked, databases)
	tight := slices.ContainsFunc(rooms, func(r room) bool { return r.free() < len(kept)+atOnce })
	if err != nil || len(strangers) == 0 || !tight {
		return err
	}
	return s.change(ctx, n, f, func(context.Context) (func(context.Context) error, error) {
		return func(ctx context.Context) error {
			limit := statement{sql: fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT %d", ident(s.Leaked), len(kept))}
			if err := n.run(ctx, []statement{limit}); err != nil {
				return err
			}
			s.note("%d sessions of %s that no pod of this target has were ended, since they left no connections for new pods: %s", len(strangers), s.Leaked, limit)
			return n.exec(ctx, `SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
				WHERE r.rolname = $1 AND a.pid::text = ANY ($2::text[])`, s.Leaked, strangers)
		}, nil
	})
}
