package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A login that somebody made by hand works by what it was granted. Before sessions act as its owner instead, the owner is given
// whatever the login has and the owner has not; before the login is dropped, what is left to it is taken away, one by
// one. DROP OWNED is never used: it takes policies, default privileges and other roles' grants along.

// byHand is true of a login that works by rights of its own on what another role owns, or did until a rotation joined the two.
func (sub subject) byHand() bool {
	r := sub.role
	return r != nil && !sub.generated() && !sub.adopted() && !sub.copied() && (r.owner() == r.Name || r.joined())
}

// giving are the statements after which the owner has all that the login has. None takes anything from anybody, so that they can
// be repeated, and stay where the rotation is taken back.
func (h holdings) giving() (all []statement) {
	add := func(format string, args ...any) { all = append(all, statement{sql: fmt.Sprintf(format, args...)}) }
	for _, g := range h.grants {
		if g.To == h.login && !g.Held {
			all = append(all, h.as(g.Of, fmt.Sprintf("GRANT %s ON %s TO %s%s", g.Privileges, g.On, ident(h.owner), option(g.Option)))...)
		}
	}
	for _, d := range h.defaults {
		switch {
		case d.Held || d.To == h.owner:
		case d.To == h.login:
			add("%s GRANT %s ON %s TO %s%s", d.of(d.Maker), d.Privileges, d.Kind, ident(h.owner), option(d.Option))
		default:
			add("%s GRANT %s ON %s TO %s%s", d.of(h.owner), d.Privileges, d.Kind, grantee(d.To), option(d.Option))
		}
	}
	for _, p := range h.policies {
		if p.Permissive && !slices.Contains(p.Roles, h.owner) {
			add("ALTER POLICY %s ON %s TO %s", p.Name, p.Table, identEach(append(slices.Clone(p.Roles), h.owner)))
		}
	}
	return all
}

// lending lets the owner use what the login makes from now on: its sessions that are open already go on as itself.
func (h holdings) lending() (all []statement) {
	if h.lends {
		return nil
	}
	for _, kind := range []string{"TABLES", "SEQUENCES", "ROUTINES", "TYPES", "SCHEMAS"} {
		all = append(all, statement{sql: fmt.Sprintf(
			"ALTER DEFAULT PRIVILEGES FOR ROLE %s GRANT ALL ON %s TO %s", ident(h.login), kind, ident(h.owner))})
	}
	return all
}

// obstacles are what the owner cannot be given without guessing, each with what to do.
func (h holdings) obstacles() (all []string) {
	for _, p := range h.policies {
		if !p.Permissive && !slices.Contains(p.Roles, h.owner) {
			all = append(all, fmt.Sprintf("restrictive policy %s of %s names %s: ALTER POLICY %s ON %s TO %s",
				p.Name, p.Table, h.login, p.Name, p.Table, identEach(append(slices.Clone(p.Roles), h.owner))))
		}
	}
	for _, m := range h.mappings {
		switch {
		case m.Other && !m.Same:
			all = append(all, fmt.Sprintf("%s and %s are known to the foreign server %s as different users: make their user mappings the same",
				h.login, h.owner, m.Server))
		case !m.Same:
			all = append(all, fmt.Sprintf("the foreign server %s knows %s and not %s: CREATE USER MAPPING FOR %s SERVER %s with the same options",
				m.Server, h.login, h.owner, ident(h.owner), m.Server))
		}
	}
	return all
}

// givable refuses while there are obstacles.
func (h holdings) givable() error {
	found := h.obstacles()
	if len(found) == 0 {
		return nil
	}
	return rotation.Refuse(rotation.WithHint(fmt.Errorf("what %s has and %s has not cannot be handed over", h.login, h.owner), strings.Join(found, "; ")))
}

// reassigning gives the owner what the login owns. It locks each table, and gives up soon if that has to wait.
func (h holdings) reassigning() []statement {
	if h.owns == 0 {
		return nil
	}
	return []statement{{sql: fmt.Sprintf("REASSIGN OWNED BY %s TO %s", ident(h.login), ident(h.owner))}}
}

// taking are the statements after which the login has nothing left, when it owns nothing any more and the owner was
// given all.
func (h holdings) taking() (all []statement) {
	add := func(format string, args ...any) { all = append(all, statement{sql: fmt.Sprintf(format, args...)}) }
	for _, d := range h.defaults {
		add("%s REVOKE %s ON %s FROM %s", d.of(d.Maker), d.Privileges, d.Kind, grantee(d.To))
	}
	for _, p := range h.policies {
		if rest := slices.DeleteFunc(slices.Clone(p.Roles), func(r string) bool { return r == h.login }); len(rest) > 0 {
			add("ALTER POLICY %s ON %s TO %s", p.Name, p.Table, identEach(rest))
		}
	}
	for _, m := range h.mappings {
		if m.Same {
			add("DROP USER MAPPING FOR %s SERVER %s", ident(h.login), m.Server)
		}
	}
	return append(all, h.revoking()...)
}

// revoking takes the login's grants. What it has granted to others they get from the object's owner first: then theirs goes with its
// own, as long as it is no member of anybody who has the same. So it is none for a moment, which nobody else sees.
func (h holdings) revoking() []statement {
	var before, own []statement
	for _, g := range h.grants {
		revoke := fmt.Sprintf("REVOKE %s ON %s FROM %s CASCADE", g.Privileges, g.On, ident(h.login))
		switch {
		case g.To != h.login:
			before = append(before, h.as(g.Of, fmt.Sprintf("GRANT %s ON %s TO %s%s", g.Privileges, g.On, grantee(g.To), option(g.Option)))...)
		case g.By == g.Of:
			own = append(own, h.as(g.By, revoke)...)
		default: // only who granted it can take it back
			own = append(own, acted(g.By, revoke)...)
		}
	}
	if len(before) == 0 {
		return own
	}
	apart := statement{sql: fmt.Sprintf("REVOKE %s FROM %s", ident(h.owner), ident(h.login))}
	return slices.Concat(before, []statement{apart}, own, []statement{h.membership})
}

// as is a GRANT or a REVOKE of what owner owns, run as owner where the admin has to and may: an admin that is no superuser and a
// member of several who may grant it grants as any of them, and what a login has granted would go with the login.
func (h holdings) as(owner, sql string) []statement {
	if !slices.Contains(h.parts, owner) {
		return []statement{{sql: sql}}
	}
	return acted(owner, sql)
}

func acted(role, sql string) []statement {
	return []statement{{sql: "SET LOCAL ROLE " + ident(role)}, {sql: sql}, {sql: "RESET ROLE"}}
}

func option(may bool) string {
	if may {
		return " WITH GRANT OPTION"
	}
	return ""
}

func grantee(name string) string {
	if name == "" {
		return "PUBLIC"
	}
	return ident(name)
}

func (d defaultGrant) of(maker string) string {
	text := "ALTER DEFAULT PRIVILEGES FOR ROLE " + ident(maker)
	if d.Schema != "" {
		text += " IN SCHEMA " + ident(d.Schema)
	}
	return text
}

func identEach(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = ident(name)
	}
	return strings.Join(quoted, ", ")
}

// places are the databases in which a login has or may come to have something of its own.
func (n *session) places(ctx context.Context, sub subject) ([]string, error) {
	used, err := n.databases(ctx, sub)
	if err != nil {
		return nil, err
	}
	names, err := list(ctx, n, pgx.RowTo[string], `
		SELECT d.datname::text FROM pg_database d
		WHERE d.datname = ANY ($2::text[]) OR d.datname = current_database() OR d.oid IN (
			SELECT s.dbid FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid
			WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = $1)
		ORDER BY 1`, sub.role.Name, used)
	return names, wrap(err, "looking for the databases in which %s has something", sub.role.Name)
}

// everywhere runs do in a transaction of its own in each of sub's places. In between, n, whose transaction holds the lock, is
// made to speak, or the server would think that it has stalled.
func (s *Server) everywhere(ctx context.Context, n *session, sub subject, do func(context.Context, *session, holdings) error) error {
	names, err := n.places(ctx, sub)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := s.within(ctx, n.node, name, sub, do); err != nil {
			return wrap(err, "in database %s", ident(name))
		}
		if err := n.exec(ctx, "SELECT 1"); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) within(ctx context.Context, node Node, database string, sub subject, do func(context.Context, *session, holdings) error) error {
	n, err := s.at(ctx, node, database)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.stall()*9/10)
	defer cancel()
	return s.cleared(ctx, n, func(ctx context.Context) error { return n.within(ctx, sub, do) })
}

func (n *session) within(ctx context.Context, sub subject, do func(context.Context, *session, holdings) error) error {
	if err := n.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	h, err := n.holdings(ctx, sub.role.Name, sub.owner)
	if err == nil {
		err = n.exec(ctx, "SET LOCAL lock_timeout = '1s'")
	}
	if err == nil {
		err = do(ctx, n, h)
	}
	if err != nil {
		n.rollback(ctx)
		return err
	}
	return wrap(n.exec(ctx, "COMMIT"), "committing")
}

// at gives a session in one database of a node. It stays open, as that of the node does: a way that is slow to open must not
// be opened anew while a lock is held.
func (s *Server) at(ctx context.Context, node Node, database string) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, s.reachPatience())
	defer cancel()
	key := node.Name + "\x00" + database
	if kept := s.admin[key]; kept != nil {
		if kept.look(ctx) == nil {
			return kept, nil
		}
		kept.hangUp()
		delete(s.admin, key)
	}
	n, err := s.enter(ctx, node, database)
	if err != nil {
		return nil, err
	}
	s.keep(key, n)
	if err := n.exec(ctx, ownRole); err != nil {
		return n, err
	}
	return n, n.look(ctx)
}

// ownRole has a session act as the admin is set to in all databases, whatever the owner of this one has set its sessions to.
const ownRole = `SELECT set_config('role', coalesce((SELECT substr(c, 6) FROM pg_db_role_setting s, unnest(s.setconfig) AS c
	WHERE s.setrole = (SELECT oid FROM pg_roles WHERE rolname = session_user) AND s.setdatabase = 0 AND c LIKE 'role=%' LIMIT 1), 'none'), false)`

// give lets the owner have all that the login has and will make, in every database.
func (s *Server) give(ctx context.Context, n *session, sub subject) error {
	return s.everywhere(ctx, n, sub, func(ctx context.Context, n *session, h holdings) error {
		if err := n.give(ctx, h); err != nil {
			return err
		}
		return n.run(ctx, h.lending())
	})
}

// give is give in one database; it looks whether the owner has got all, since a GRANT without effect is only warned of.
func (n *session) give(ctx context.Context, h holdings) error {
	if err := h.givable(); err != nil {
		return err
	}
	list := h.giving()
	if err := n.run(ctx, list); err != nil || len(list) == 0 {
		return err
	}
	h, err := n.holdings(ctx, h.login, h.owner)
	h.parts = nil
	if left := h.giving(); err == nil && len(left) > 0 {
		err = rotation.Refuse(rotation.WithHint(fmt.Errorf("%s was run as %s, and had no effect", left[0], n.user),
			"run it as a superuser, or as the owner of the object"))
	}
	return err
}

// take leaves the login with nothing, in every database. From a login that was made here only what it has come to own is
// taken, and only where that was agreed to.
func (s *Server) take(ctx context.Context, n *session, sub subject) error {
	if sub.copied() {
		return s.uncopy(ctx, n, sub)
	}
	if !sub.byHand() && !s.Reassign {
		return nil
	}
	if err := n.dependants(ctx, sub); !errors.Is(err, rotation.ErrRefused) {
		return err
	}
	return s.everywhere(ctx, n, sub, func(ctx context.Context, n *session, h holdings) error {
		if err := n.run(ctx, h.reassigning()); err != nil || !sub.byHand() {
			return err
		}
		return n.take(ctx, h)
	})
}

func (n *session) take(ctx context.Context, h holdings) error {
	h, err := n.holdings(ctx, h.login, h.owner)
	if err == nil {
		err = n.give(ctx, h)
	}
	if err != nil {
		return err
	}
	return n.run(ctx, h.taking())
}

// planned are the lines that show what runs in each database.
func (s *Server) planned(ctx context.Context, n *session, sub subject, what func(holdings) []statement) (lines []string, err error) {
	err = s.everywhere(ctx, n, sub, func(ctx context.Context, n *session, h holdings) error {
		list := what(h)
		if len(list) > 0 {
			lines = append(lines, "-- in database "+ident(n.conn.Config().Database))
		}
		for _, st := range list {
			lines = append(lines, st.String())
		}
		return nil
	})
	return lines, err
}
