package postgres

import (
	"context"
	"fmt"

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
	rooms, err := list(ctx, p.n, pgx.RowToStructByPos[room], `
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
		current.ID, p.dbs, p.s.connections(p.n.node.Name))
	if err != nil {
		return wrap(err, "counting connections")
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
