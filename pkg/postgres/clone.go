package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A clone is a login with copies of what another was granted, for those who cannot adopt an owner role. Ownership never
// moves: the login that is left must own nothing. Of the two, either has all that the other has before it counts as accepted; so
// an abort finds the old login whole, also where taking its grants had begun.

// cloneMark begins the comment of a clone; the login that it was copied from follows.
const cloneMark = "kubectl-rotate: clone of "

var numbered = regexp.MustCompile(`_v[0-9]+(_[0-9]+)?$`)

// cloned is true of a login that was made as a clone.
func (sub subject) cloned() bool {
	return StrategyOf(sub.c) == Clone || sub.role != nil && strings.HasPrefix(sub.role.Comment, cloneMark)
}

// copied is true of both of a pair, unless a login made here acts as it, which makes it an owner.
func (sub subject) copied() bool { return (sub.cloned() || sub.clone != "") && !sub.serves }

// model is the login that a clone was copied from.
func (sub subject) model() string {
	if name := sub.c.Meta[MetaModel]; name != "" || sub.role == nil {
		return name
	}
	m, _ := parseMark(sub.role.Comment, cloneMark)
	return m.of
}

// other is the other one of the pair; nil where it is gone.
func (n *session) other(ctx context.Context, sub subject) (*role, error) {
	switch {
	case sub.clone != "":
		return n.role(ctx, sub.clone)
	case sub.cloned() && sub.model() != "":
		return n.role(ctx, sub.model())
	}
	return nil, nil
}

// nameClone gives c the first free name of its version: clones of clones are numbered on.
func (n *session) nameClone(ctx context.Context, c *rotation.Credential, model *role) error {
	base := model.Name
	if strings.HasPrefix(model.Comment, cloneMark) {
		base = numbered.ReplaceAllString(base, "")
	}
	c.Meta = map[string]string{MetaStrategy: string(Clone), MetaModel: model.Name}
	if err := n.name(ctx, c, base); err != nil {
		return err
	}
	c.Meta[MetaOwner] = c.ID
	return nil
}

// cloning is what makes a clone, or mends one, but for its grants: they follow in a transaction of each database.
func (s *Server) cloning(ctx context.Context, n *session, sub subject) (list []statement, err error) {
	model, err := n.other(ctx, sub)
	if err != nil {
		return nil, err
	}
	if sub.role == nil {
		list, err = s.creatingClone(ctx, n, sub, model)
	} else {
		list, err = s.lifting(ctx, n, sub)
	}
	if err != nil || model == nil {
		return list, err
	}
	more, err := s.alike(ctx, n, sub.c.ID, model)
	return append(list, more...), err
}

func (s *Server) creatingClone(ctx context.Context, n *session, sub subject, model *role) ([]statement, error) {
	if err := s.entitled(ctx, n, sub); err != nil {
		return nil, err
	}
	if model == nil {
		return nil, rotation.Refuse(fmt.Errorf("neither %q nor %q, which it was to be a clone of, exists any more", sub.c.ID, sub.model()))
	}
	create := fmt.Sprintf("CREATE ROLE %s LOGIN CONNECTION LIMIT %d", ident(sub.c.ID), model.Limit)
	if model.Expires && s.ValidFor > 0 {
		end, err := s.end(ctx, n)
		if err != nil {
			return nil, err
		}
		create += " VALID UNTIL " + literal(end)
	}
	secret, err := s.passwordOf(ctx, n, sub)
	return []statement{{sql: create}, secret, comment(sub.c.ID, s.marking(cloneMark, model.Name, sub.c))}, err
}

// alike are the memberships and settings that login lacks of model's.
func (s *Server) alike(ctx context.Context, n *session, login string, model *role) ([]statement, error) {
	options := "true, true"
	if n.version >= 160000 {
		options = "bool_or(m.inherit_option), bool_or(m.set_option)"
	}
	member := `SELECT g.rolname::text, bool_or(m.admin_option), ` + options + ` FROM pg_auth_members m
		JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles l ON l.oid = m.member WHERE l.rolname = `
	groups, err := list(ctx, n, pgx.RowToStructByPos[membership], fmt.Sprintf("%s$1 GROUP BY 1 EXCEPT %s$2 GROUP BY 1 ORDER BY 1", member, member), model.Name, login)
	if err != nil {
		return nil, wrap(err, "comparing the memberships of %s and %s", model.Name, login)
	}
	var lack []statement
	for _, g := range groups {
		lack = append(lack, statement{sql: g.grant(login, n.version >= 160000)})
	}
	want, err := s.kept(ctx, n, model.Name)
	if err != nil {
		return nil, err
	}
	has, err := n.settings(ctx, login)
	if err != nil {
		return nil, err
	}
	return assigning(lack, login, missing(want, has))
}

// membership is one of a login's, as it was granted.
type membership struct {
	Group               string
	Admin, Inherit, Set bool
}

func (m membership) grant(login string, options bool) string {
	sql := fmt.Sprintf("GRANT %s TO %s", ident(m.Group), ident(login))
	switch {
	case options:
		return fmt.Sprintf("%s WITH ADMIN %t, INHERIT %t, SET %t", sql, m.Admin, m.Inherit, m.Set)
	case m.Admin:
		return sql + " WITH ADMIN OPTION"
	}
	return sql
}

// copies are the grants and default privileges that the clone lacks. Policies that name the login stay as they are.
func (h holdings) copies() []statement {
	h.policies = nil
	return h.giving()
}

// complete gives sub's login what the other of the pair was granted: one transaction a database, each of which can be
// repeated. Until all are through, Standing calls the login altered.
func (s *Server) complete(ctx context.Context, n *session, f rotation.Fence, c rotation.Credential) error {
	sub, err := s.subject(ctx, n, c)
	if err != nil || !sub.copied() {
		return err
	}
	other, err := n.other(ctx, sub)
	if err != nil || other == nil {
		return err
	}
	return s.change(ctx, n, f, func(context.Context) (func(context.Context) error, error) {
		return func(ctx context.Context) error {
			return s.everywhere(ctx, n, sub.seenFrom(other), func(ctx context.Context, n *session, h holdings) error { return n.copy(ctx, h) })
		}, nil
	})
}

// seenFrom is the other of the pair, with sub's login as the one that is to have the same.
func (sub subject) seenFrom(other *role) subject {
	return subject{c: rotation.Credential{ID: other.Name}, role: other, owner: sub.c.ID}
}

// copy runs what is lacking, and looks again, since a GRANT without effect is only warned of.
func (n *session) copy(ctx context.Context, h holdings) error {
	lack := h.copies()
	if err := n.run(ctx, lack); err != nil || len(lack) == 0 {
		return err
	}
	h, err := n.holdings(ctx, h.login, h.owner)
	h.parts = nil
	if left := h.copies(); err == nil && len(left) > 0 {
		err = rotation.Refuse(rotation.WithHint(fmt.Errorf("%s was run as %s, and had no effect", left[0], n.user),
			"run it as a superuser, or as the owner of the object"))
	}
	return err
}

// lacks is what sub's login has not and the other of the pair has, in words; "" is nothing.
func (s *Server) lacks(ctx context.Context, n *session, sub subject) (string, error) {
	other, err := n.other(ctx, sub)
	if err != nil || other == nil {
		return "", err
	}
	lack, err := s.alike(ctx, n, sub.c.ID, other)
	if err != nil {
		return "", err
	}
	err = s.everywhere(ctx, n, sub.seenFrom(other), func(_ context.Context, _ *session, h holdings) error {
		h.parts = nil // as many statements as there are things
		lack = append(lack, h.copies()...)
		return nil
	})
	if err != nil || len(lack) == 0 {
		return "", err
	}
	return fmt.Sprintf("it lacks %d of the things that %s has, the first: %s", len(lack), other.Name, lack[0]), nil
}
