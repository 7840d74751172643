package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// joining makes the login in use, where somebody made it by hand, a member of its owner that acts as it. From then on new
// sessions of either generation make and use the owner's objects. Sessions that are open already stay themselves, and have
// the owner's rights beside their own. model has no role where there is nothing to join.
func (s *Server) joining(ctx context.Context, n *session, sub subject) (model subject, list []statement, err error) {
	name := sub.c.Meta[MetaModel]
	if !sub.generated() || name == "" || name == sub.owner {
		return subject{}, nil, nil
	}
	model, err = s.subject(ctx, n, rotation.Credential{ID: name})
	if err != nil || !model.byHand() || model.owner != sub.owner {
		return subject{}, nil, err
	}
	if err := model.role.ordinary(); err != nil {
		return subject{}, nil, err
	}
	if s.Record != nil {
		if err := s.mayChange(ctx, n, model); err != nil {
			return subject{}, nil, err
		}
	}
	more, err := n.memberships(ctx, model)
	if err != nil || model.role.joined() && model.role.owner() == model.owner {
		return model, more, err
	}
	return model, append(more, n.membership(model.owner, name), acting(name, model.owner), comment(name, model.role.with(joinedMark))), nil
}

// membership makes login a member that may act as owner.
func (n *session) membership(owner, login string) statement {
	grant := fmt.Sprintf("GRANT %s TO %s", ident(owner), ident(login))
	if n.version >= 160000 {
		grant += " WITH INHERIT TRUE, SET TRUE"
	}
	return statement{sql: grant}
}

func acting(login, owner string) statement {
	return statement{sql: fmt.Sprintf("ALTER ROLE %s SET role TO %s", ident(login), literal(owner))}
}

// group is a role that a login is a member of and its owner is not.
type group struct {
	Name  string
	Admin bool
	Below bool // it is a member of the owner itself, which can then be none of its
}

// memberships makes the owner a member of what the login is a member of: sessions that act as the owner have no other rights.
func (n *session) memberships(ctx context.Context, sub subject) (statements []statement, err error) {
	if under, err := one[bool](ctx, n, "SELECT pg_has_role($1::name, $2::name, 'MEMBER')", sub.owner, sub.role.Name); err != nil {
		return nil, wrap(err, "asking for members of %s", sub.role.Name)
	} else if under {
		return nil, rotation.Refuse(rotation.WithHint(
			fmt.Errorf("%s is a member of %s, which has to become one of its", sub.owner, sub.role.Name),
			fmt.Sprintf("REVOKE %s FROM %s", ident(sub.role.Name), ident(sub.owner))))
	}
	groups, err := list(ctx, n, pgx.RowToStructByPos[group], `
		SELECT g.rolname::text, bool_or(m.admin_option), pg_has_role(g.oid, o.oid, 'MEMBER')
		FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles l ON l.oid = m.member, pg_roles o
		WHERE l.rolname = $1 AND o.rolname = $2 AND g.oid <> o.oid AND NOT pg_has_role(o.oid, g.oid, 'MEMBER')
		GROUP BY g.oid, g.rolname, o.oid ORDER BY 1`, sub.role.Name, sub.owner)
	for _, g := range groups {
		if g.Below {
			return nil, rotation.Refuse(fmt.Errorf("%s is a member of %s, whose rights %s cannot have: it is a member of %s itself",
				sub.role.Name, g.Name, sub.owner, sub.owner))
		}
		sql := fmt.Sprintf("GRANT %s TO %s", ident(g.Name), ident(sub.owner))
		if g.Admin {
			sql += " WITH ADMIN OPTION"
		}
		statements = append(statements, statement{sql: sql})
	}
	return statements, wrap(err, "reading the memberships of %s", sub.role.Name)
}

// joins looks whether the login in use, made by hand, can be joined to its owner, and says so.
func (p *preflight) joins(ctx context.Context, current rotation.Credential) error {
	if !p.sub.byHand() {
		return p.realm(ctx)
	}
	if err := p.lacksRole(ctx); err != nil {
		return err
	}
	if _, err := p.n.memberships(ctx, p.sub); err != nil {
		return err
	}
	err := p.s.everywhere(ctx, p.n, p.sub, func(ctx context.Context, n *session, h holdings) error { return n.mayGive(ctx, h) })
	if err == nil && !p.sub.role.joined() {
		p.note("%s works by what it was granted on the objects of %s: from install on it acts as %s, like the new login",
			current.ID, p.sub.owner, p.sub.owner)
	}
	return err
}

// mayGive refuses what give could not do. A superuser can do all of it; another admin has to try, in a transaction of which
// nothing stays.
func (n *session) mayGive(ctx context.Context, h holdings) error {
	if n.super {
		return h.givable()
	}
	return n.trying(ctx, func() error {
		err := n.give(ctx, h)
		if err == nil {
			err = n.run(ctx, h.lending())
		}
		if err != nil && !errors.Is(err, rotation.ErrUnavailable) {
			err = rotation.Refuse(err)
		}
		return err
	})
}

// realm notes a login that works on somebody else's objects, which nothing but the configuration can say that it belongs to.
func (p *preflight) realm(ctx context.Context) error {
	if !p.sub.adopted() || p.s.Owner != "" {
		return nil
	}
	own, all, err := p.n.candidates(ctx, p.sub.role.Name)
	if err == nil && own.Count == 0 && len(all) == 1 && all[0].Lent > 0 {
		p.note("%s owns nothing and works on what %s owns: it becomes a role of its own for its grants; if it is a login of %s, say postgres.owner: %s",
			p.sub.role.Name, all[0].Name, all[0].Name, all[0].Name)
	}
	return err
}

// lacksRole wants an admin who may act for both roles: to take grants back, and to give what one owns to the other.
func (p *preflight) lacksRole(ctx context.Context) error {
	for _, role := range []string{p.sub.owner, p.sub.role.Name} {
		has, err := one[bool](ctx, p.n, "SELECT pg_has_role($1::name, 'USAGE')", role)
		if err != nil {
			return wrap(err, "reading the rights of %s", p.n.user)
		}
		if !has {
			return p.lacks("may not act for "+role, "%s", p.n.membership(role, p.n.user))
		}
	}
	return nil
}
