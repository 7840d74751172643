package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// leftover is a login that can come in where the one in use does.
type leftover struct {
	Name     string
	Sessions int
}

// Leftovers are who else can come in where current does: the owner itself, its other members, and logins named after it, by hand
// or by rotations whose record was lost. Each is one line, with the sessions that it has on the primary, and the statement that
// ends it. The logins in known are left out. No rotation touches them.
func (s *Server) Leftovers(ctx context.Context, current rotation.Credential, known ...string) (lines []string, err error) {
	err = s.with(ctx, func(ctx context.Context, cl *cluster) error {
		sub, err := s.subject(ctx, cl.primary, current)
		if err == nil && sub.role != nil {
			lines, err = cl.primary.leftovers(ctx, sub, append(known, current.ID))
		}
		return err
	})
	return lines, wrap(err, "looking for leftovers of %s", current.ID)
}

func (n *session) leftovers(ctx context.Context, sub subject, known []string) (lines []string, err error) {
	all, err := list(ctx, n, pgx.RowToStructByPos[leftover], `
		SELECT r.rolname::text, (SELECT count(*)::int FROM pg_stat_activity a WHERE a.usesysid = r.oid) FROM pg_roles r
		WHERE r.rolcanlogin AND NOT r.rolsuper AND r.rolname <> current_user AND r.rolname <> ALL ($2::text[]) AND (
			r.rolname = $1
			OR EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles o ON o.oid = m.roleid WHERE m.member = r.oid AND o.rolname = $1)
			OR left(r.rolname, length($1) + 1) = $1 || '_' AND substr(r.rolname, length($1) + 1) ~ $3)
		ORDER BY r.rolname <> $1, r.rolname`, sub.owner, slices.Compact(known), dated.String())
	for _, l := range all {
		lines = append(lines, l.line(sub.owner))
	}
	return lines, wrap(err, "looking for other logins of %s", sub.owner)
}

// line says what l is and what ends it. The owner keeps its objects, so its password goes at once.
func (l leftover) line(owner string) string {
	end := fmt.Sprintf("ALTER ROLE %s NOLOGIN", ident(l.Name))
	what := "a leftover of an earlier rotation?"
	if l.Name == owner {
		end += " PASSWORD NULL"
		what = "it owns the application's objects, and keeps them."
	}
	return fmt.Sprintf("%s can log in too (%d sessions now): %s What ends it: %s", l.Name, l.Sessions, what, end)
}

// leftovers notes them.
func (p *preflight) leftovers(ctx context.Context, current rotation.Credential) error {
	lines, err := p.n.leftovers(ctx, p.sub, []string{current.ID})
	p.notes = append(p.notes, lines...)
	return err
}
