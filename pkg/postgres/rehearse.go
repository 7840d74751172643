package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// rehearsed wants an admin who is no superuser to be able to give a clone all that the login has. Who may grant what depends on
// too much to be worked out: it is tried, in a transaction of each database, of which nothing stays. What could not be
// taken from the login in the end is noted.
func (p *preflight) rehearsed(ctx context.Context, current rotation.Credential) error {
	if p.n.super {
		return nil
	}
	if err := p.lacksGroup(ctx, current.ID); err != nil {
		return err
	}
	clone := rotation.Credential{V: current.V + 1}
	if err := p.n.nameClone(ctx, &clone, p.sub.role); err != nil {
		return err
	}
	err := p.s.everywhere(ctx, p.n, p.sub.alone(), func(ctx context.Context, n *session, h holdings) error {
		if err := n.trying(ctx, func() error { return p.s.tryClone(ctx, n, p.sub.role, clone.ID) }); err != nil {
			return p.barred(ctx, h, err)
		}
		err := n.trying(ctx, func() error { return n.tryTaking(ctx, h) })
		if err != nil && !errors.Is(err, rotation.ErrUnavailable) {
			p.note("%s can be retired only after a change by hand: %v", current.ID, err)
			err = nil
		}
		return err
	})
	return wrap(err, "rehearsing a clone")
}

// lacksGroup wants the admin to be able to grant what the login is a member of.
func (p *preflight) lacksGroup(ctx context.Context, login string) error {
	if p.n.version < 160000 {
		return nil // CREATEROLE is enough
	}
	groups, err := list(ctx, p.n, pgx.RowTo[string], `
		SELECT DISTINCT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles l ON l.oid = m.member
		WHERE l.rolname = $1 AND NOT pg_has_role(g.oid, 'MEMBER WITH ADMIN OPTION') ORDER BY 1`, login)
	if err != nil || len(groups) == 0 {
		return wrap(err, "reading the memberships of %s", login)
	}
	return p.lacks("may not grant "+groups[0], "GRANT %s TO %s WITH ADMIN OPTION", ident(groups[0]), ident(p.n.user))
}

// barred is what to do about an error met while granting h to somebody: mostly the admin is no member of an owner.
func (p *preflight) barred(ctx context.Context, h holdings, err error) error {
	if errors.Is(err, rotation.ErrUnavailable) {
		return err
	}
	var owners []string
	for _, g := range h.grants {
		owners = append(owners, g.Of)
	}
	for _, d := range h.defaults {
		owners = append(owners, d.Maker)
	}
	for _, owner := range owners {
		r, looking := p.n.existing(ctx, owner)
		if looking != nil {
			return looking
		}
		has, looking := one[bool](ctx, p.n, "SELECT pg_has_role($1::name, 'USAGE')", owner)
		switch {
		case looking != nil:
			return wrap(looking, "reading the rights of %s", p.n.user)
		case !has && r.Super:
			return rotation.Refuse(rotation.WithHint(fmt.Errorf("the admin %q may not grant what %s owns: %w", p.n.user, owner, err),
				"use a superuser as the admin, or give what it owns to a role that is none"))
		case !has:
			return p.lacks("may not act for "+owner, "%s", p.n.membership(owner, p.n.user))
		}
	}
	return rotation.Refuse(err)
}

// trying runs do such that nothing of it stays.
func (n *session) trying(ctx context.Context, do func() error) error {
	if err := n.exec(ctx, "SAVEPOINT trying"); err != nil {
		return err
	}
	err := do()
	if undone := n.exec(ctx, "ROLLBACK TO trying"); err == nil {
		err = undone
	}
	return err
}

// tryClone makes a clone of model.
func (s *Server) tryClone(ctx context.Context, n *session, model *role, clone string) error {
	if err := n.exec(ctx, "CREATE ROLE "+ident(clone)); err != nil {
		return err
	}
	alike, err := s.alike(ctx, n, clone, model)
	if err != nil {
		return err
	}
	if err := n.run(ctx, alike); err != nil {
		return err
	}
	h, err := n.holdings(ctx, model.Name, clone)
	if err != nil {
		return err
	}
	return n.copy(ctx, h)
}

// tryTaking takes from h's login what it was granted, and looks whether anything is left: a REVOKE without effect is only
// warned of.
func (n *session) tryTaking(ctx context.Context, h holdings) error {
	if err := n.run(ctx, h.takes()); err != nil {
		return err
	}
	left, err := n.holdings(ctx, h.login, h.owner)
	if err == nil && len(left.grants) > 0 {
		g := left.grants[0]
		err = fmt.Errorf("%s may not take %s on %s back, which %s has granted", n.user, g.Privileges, g.On, g.By)
	}
	return err
}
