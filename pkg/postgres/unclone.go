package postgres

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// takes are the statements after which a login that was cloned, or is a clone, has no grant left.
func (h holdings) takes() []statement {
	h.policies, h.mappings = nil, nil
	return h.taking()
}

// alone is sub without the other of its pair.
func (sub subject) alone() subject {
	sub.owner = sub.c.ID
	return sub
}

// uncopy takes every grant from one of a pair, one by one, in a transaction of each database. It looks everywhere first.
func (s *Server) uncopy(ctx context.Context, n *session, sub subject) error {
	if err := s.lent(ctx, n, sub); err != nil {
		return err
	}
	return s.everywhere(ctx, n, sub.alone(), func(ctx context.Context, n *session, h holdings) error { return n.run(ctx, h.takes()) })
}

// lent refuses where the login has granted something on: others would lose it with the login.
func (s *Server) lent(ctx context.Context, n *session, sub subject) error {
	return s.everywhere(ctx, n, sub.alone(), func(_ context.Context, _ *session, h holdings) error {
		for _, g := range h.grants {
			if g.To != h.login {
				return rotation.Refuse(rotation.WithHint(
					fmt.Errorf("%s has granted %s on %s to %s", h.login, g.Privileges, g.On, cmp.Or(g.To, "PUBLIC")),
					fmt.Sprintf("have %s, who owns it, grant that, and %s revoke it", g.Of, h.login)))
			}
		}
		return nil
	})
}

// keeps refuses while more than grants depends on a login of a pair: what it owns, and policies that name it, no copy moves.
func (n *session) keeps(ctx context.Context, sub subject) error {
	found, err := list(ctx, n, pgx.RowToStructByPos[dependant], `
		SELECT coalesce(d.datname, ''), s.deptype::text, s.classid::regclass::text, count(*)
		FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid LEFT JOIN pg_database d ON d.oid = s.dbid
		WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = $1
			AND s.deptype NOT IN ('a', 'i') AND s.classid <> 'pg_default_acl'::regclass
		GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, sub.role.Name)
	if err != nil || len(found) == 0 {
		return wrap(err, "reading pg_shdepend")
	}
	var names []string
	for _, d := range found {
		names = append(names, d.String())
	}
	return rotation.Refuse(rotation.WithHint(
		fmt.Errorf("a clone does not take over what depends on %s: %s", sub.role.Name, strings.Join(names, "; ")),
		"choose the strategy alternate, which moves nothing; or give what it owns to a role that stays (REASSIGN OWNED), and name another role in the policies"))
}

// clonable wants a login of which a clone can have all, and says what cannot be promised.
func (p *preflight) clonable(ctx context.Context, _ rotation.Credential) error {
	r := p.sub.role
	if r.Acts != "" {
		return rotation.Refuse(rotation.WithHint(fmt.Errorf("%q acts as %q: there is nothing to copy", r.Name, r.Acts), "choose the strategy alternate"))
	}
	special, err := one[bool](ctx, p.n, "SELECT rolcreaterole OR rolcreatedb OR NOT rolinherit FROM pg_roles WHERE rolname = $1", r.Name)
	switch {
	case err != nil:
		return wrap(err, "reading role %s", r.Name)
	case special:
		return rotation.Refuse(fmt.Errorf("%q has CREATEROLE, CREATEDB or NOINHERIT, which a clone is not given", r.Name))
	}
	for _, look := range []func(context.Context, subject) error{p.n.keeps, p.n.members, p.n.prepared} {
		if err := look(ctx, p.sub); err != nil {
			return err
		}
	}
	if err := p.s.lent(ctx, p.n, p.sub); err != nil {
		return err
	}
	p.note("the new login is a clone: what is made while both are in use belongs to the login that made it, and keeps that one from being dropped")
	p.note("what is granted to %s after the clone was accepted is copied when it is looked at again, before %[1]s is refused and before it is dropped, and not after", r.Name)
	p.note("policies, functions and views that name %s in their text are not changed", r.Name)
	return nil
}

// clones wants the admin to be able to make and drop clones.
func (p *preflight) clones(ctx context.Context, current rotation.Credential) error {
	if p.n.super {
		return nil
	}
	if err := p.alters(ctx, current); err != nil {
		return err
	}
	has, err := p.n.rights(ctx, current.ID, current.ID)
	if err == nil && !has.signal {
		err = p.lacks("may not end sessions of "+current.ID, "GRANT pg_signal_backend TO %s", ident(p.n.user))
	}
	return err
}
