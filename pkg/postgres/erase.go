package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Erase drops a login, or, where it owns the application's objects itself, takes LOGIN and its password: it stays as the
// owner. It takes nothing else away, and is refused as long as that would not do: while the login has sessions
// (ErrNotYet), prepared transactions, objects, grants or members. A role that does not exist is erased already.
//
// A login that was made by hand and joined to its owner is first left with nothing, in one transaction a database: what it owns goes
// to the owner, what it has granted to others they get from the object's owner, its own grants are revoked one by one.
func (s *Server) Erase(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	err := s.with(ctx, func(ctx context.Context, cl *cluster) error {
		sub, err := s.subject(ctx, cl.primary, c)
		if err != nil {
			return err
		}
		if sub.role != nil && sub.role.CanLogin {
			// First nobody comes in any more: a session that began between the look and the end would be broken.
			if err := s.erasing(ctx, cl, f, c, func(sub subject) func(context.Context) error {
				return cl.primary.statements(sub.revoking())
			}); err != nil {
				return err
			}
		}
		if err := s.endLate(ctx, cl, f, c); err != nil {
			return err
		}
		err = s.erasing(ctx, cl, f, c, func(sub subject) func(context.Context) error {
			return func(ctx context.Context) error { return s.drop(ctx, cl.primary, sub) }
		})
		if s.Leaked != "" && s.Leaked == c.ID && err != nil && ctx.Err() == nil && !passes(err) {
			return s.rest(ctx, cl, f, c, err)
		}
		return err
	})
	return wrap(err, "erasing %s", c.ID)
}

// endLate ends sessions of a login that may not log in any more: one that was on its way in when the login was refused shows only later.
func (s *Server) endLate(ctx context.Context, cl *cluster, f rotation.Fence, c rotation.Credential) error {
	sub, err := s.subject(ctx, cl.primary, c)
	if err == nil {
		err = s.mayChange(ctx, cl.primary, sub)
	}
	if err != nil || sub.role == nil || sub.role.CanLogin {
		return err
	}
	left, err := cl.sessions(ctx, c.ID)
	if err != nil || len(left) == 0 {
		return err
	}
	return s.endSessions(ctx, cl, f, c.ID)
}

func (s *Server) erasing(ctx context.Context, cl *cluster, f rotation.Fence, c rotation.Credential, how func(subject) func(context.Context) error) error {
	return s.change(ctx, cl.primary, f, func(ctx context.Context) (func(context.Context) error, error) {
		sub, err := s.subject(ctx, cl.primary, c)
		if err == nil {
			err = s.mayChange(ctx, cl.primary, sub)
		}
		if err == nil {
			err = s.mayErase(ctx, cl, sub)
		}
		return how(sub), err
	})
}

// passes says whether an error may pass, or says that nothing is to be done any more.
func passes(err error) bool {
	return errors.Is(err, rotation.ErrUnavailable) || errors.Is(err, rotation.ErrNotYet) || errors.Is(err, rotation.ErrSuperseded)
}

// rest leaves a leaked login without LOGIN and password where it cannot be dropped, for why: whoever had it may have made others depend on
// it. It refuses what drop does while somebody is connected, or while the role is not this target's.
func (s *Server) rest(ctx context.Context, cl *cluster, f rotation.Fence, c rotation.Credential, why error) error {
	n := cl.primary
	err := s.change(ctx, n, f, func(ctx context.Context) (func(context.Context) error, error) {
		sub, err := s.subject(ctx, n, c)
		if err == nil {
			err = s.mayChange(ctx, n, sub)
		}
		if err != nil || sub.role == nil {
			return n.statements(nil), err
		}
		if sub.role.CanLogin {
			return nil, why // it was let in again
		}
		list := []statement{{sql: fmt.Sprintf("ALTER ROLE %s PASSWORD NULL", ident(c.ID))}}
		if !sub.role.marked() {
			list = append(list, comment(c.ID, sub.role.with(retiredMark)))
		}
		return n.statements(list), nil
	})
	if err == nil {
		s.note("%s stays, without LOGIN and without a password: %v (%s)", c.ID, why, rotation.Hint(why))
	}
	return err
}

// drop ends a login; where it has something that may be taken from it, without that.
func (s *Server) drop(ctx context.Context, n *session, sub subject) error {
	if sub.role != nil && !sub.adopted() {
		if err := s.take(ctx, n, sub); err != nil {
			return err
		}
		if err := n.dependants(ctx, sub); err != nil {
			return err
		}
	}
	return n.run(ctx, sub.erasing())
}

// erasing is what removes a login, or ends one that has to stay as the owner.
func (sub subject) erasing() (list []statement) {
	r := sub.role
	switch {
	case r == nil:
		return nil
	case !sub.adopted():
		return []statement{{sql: "DROP ROLE " + ident(r.Name)}}
	}
	if r.CanLogin {
		list = append(list, statement{sql: fmt.Sprintf("ALTER ROLE %s NOLOGIN", ident(r.Name))})
	}
	if !r.retired() {
		list = append(list, statement{sql: fmt.Sprintf("ALTER ROLE %s PASSWORD NULL", ident(r.Name))})
	}
	if !r.marked() {
		list = append(list, comment(r.Name, r.with(retiredMark)))
	}
	return list
}

// mayErase looks for what would be broken or orphaned. DROP ROLE looks for some of it itself, but not for sessions
// and prepared transactions.
func (s *Server) mayErase(ctx context.Context, c *cluster, sub subject) error {
	if sub.role == nil {
		return nil
	}
	if err := c.whole(); err != nil {
		return err
	}
	all, err := c.sessions(ctx, sub.role.Name)
	if err != nil {
		return err
	}
	if len(all) > 0 {
		return fmt.Errorf("%d sessions of it are open: %s: %w", len(all), describe(all), rotation.ErrNotYet)
	}
	if sub.adopted() {
		return nil // it keeps what it has
	}
	looks := []func(context.Context, subject) error{c.primary.prepared, c.primary.members}
	switch {
	case sub.copied():
		looks = append(looks, c.primary.keeps)
	case !sub.byHand() && !s.Reassign: // else they are seen to first
		looks = append(looks, c.primary.dependants)
	}
	for _, look := range looks {
		if err := look(ctx, sub); err != nil {
			return err
		}
	}
	return nil
}

// prepared refuses while prepared transactions of the login wait: nobody could end them any more.
func (n *session) prepared(ctx context.Context, sub subject) error {
	waiting, err := list(ctx, n, pgx.RowTo[string], `
		SELECT format('%L in %I', gid, database) FROM pg_prepared_xacts WHERE owner = $1 ORDER BY 1`, sub.role.Name)
	if err != nil || len(waiting) == 0 {
		return wrap(err, "reading pg_prepared_xacts")
	}
	return rotation.Refuse(rotation.WithHint(
		fmt.Errorf("transactions that it has prepared are waiting: %s", strings.Join(waiting, ", ")),
		"end each with COMMIT PREPARED or ROLLBACK PREPARED in its database"))
}

// dependant is a kind of things that depend on a role, in one database.
type dependant struct {
	Database string // "" is the whole cluster
	Kind     string // pg_shdepend.deptype
	Class    string
	Count    int
}

func (d dependant) String() string {
	how := map[string]string{"o": "owner of", "a": "grants on", "i": "initial grants on", "r": "policies in", "t": "tablespace of"}
	where := "in database " + ident(d.Database)
	if d.Database == "" {
		where = "shared by all databases"
	}
	return fmt.Sprintf("%s %d in %s %s", cmp.Or(how[d.Kind], "needed by"), d.Count, d.Class, where)
}

// dependants refuses while anything in any database depends on the login. What was made with it, its membership, settings
// and comment, goes with it and does not count.
func (n *session) dependants(ctx context.Context, sub subject) error {
	found, err := list(ctx, n, pgx.RowToStructByPos[dependant], `
		SELECT coalesce(d.datname, ''), s.deptype::text, s.classid::regclass::text, count(*)
		FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid LEFT JOIN pg_database d ON d.oid = s.dbid
		WHERE s.refclassid = 'pg_authid'::regclass AND r.rolname = $1
		GROUP BY 1, 2, 3 ORDER BY 1, 2, 3`, sub.role.Name)
	if err != nil || len(found) == 0 {
		return wrap(err, "reading pg_shdepend")
	}
	var names []string
	for _, d := range found {
		names = append(names, d.String())
	}
	return rotation.Refuse(rotation.WithHint(
		fmt.Errorf("things depend on it: %s", strings.Join(names, "; ")), sub.handOver(found)))
}

// handOver is what to do about things that depend on a login. DROP OWNED is never the answer: it takes policies and other
// roles' grants along.
func (sub subject) handOver(found []dependant) string {
	owns := slices.ContainsFunc(found, func(d dependant) bool { return d.Kind == "o" })
	grants := slices.ContainsFunc(found, func(d dependant) bool { return d.Kind != "o" })
	var do []string
	if owns {
		do = append(do, fmt.Sprintf("run it again with --accept=reassign, or in each of these databases: SET lock_timeout = '2s'; REASSIGN OWNED BY %s TO %s",
			ident(sub.role.Name), ident(sub.owner)))
	}
	if grants {
		do = append(do, fmt.Sprintf("grant to %s what was granted to %s, then revoke it there", ident(sub.owner), ident(sub.role.Name)))
	}
	return strings.Join(do, "; ")
}

// members refuses while other roles get rights through the login: dropping it would take these away silently. The admin is
// one of its own making from 16 on.
func (n *session) members(ctx context.Context, sub subject) error {
	names, err := list(ctx, n, pgx.RowTo[string], `
		SELECT DISTINCT m.rolname::text FROM pg_auth_members a
		JOIN pg_roles r ON r.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
		WHERE r.rolname = $1 AND m.rolname <> current_user ORDER BY 1`, sub.role.Name)
	if err != nil || len(names) == 0 {
		return wrap(err, "reading pg_auth_members")
	}
	return rotation.Refuse(rotation.WithHint(
		fmt.Errorf("roles are members of it: %s", strings.Join(names, ", ")),
		fmt.Sprintf("make them members of %s instead", ident(sub.owner))))
}
