package postgres

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// belongings are what a role owns, in all databases.
type belongings struct {
	Count  int  // objects
	Spaces bool // schemas or databases among them
}

// candidate is a role that may be the one whose objects a login works on.
type candidate struct {
	Name   string
	Owns   int // objects, in all databases
	Lent   int // of these, how many the login was granted something on
	Member bool
}

// dated is what a login has after its owner's name where it was made by hand, once a quarter: backend_20260901, backend_v2.
var dated = regexp.MustCompile(`^_v?[0-9]+(_[0-9]+)?$`)

func (c candidate) names(login string) bool {
	rest, ok := strings.CutPrefix(login, c.Name)
	return ok && dated.MatchString(rest)
}

// chooseOwner says whose objects a login works on that acts as itself. It is its own owner, unless it was named after a role
// that owns what it was granted: then it is a second login to that role's objects, made by hand. A name alone
// proves nothing, and grants alone would let a login that may only read become the owner. A login that was named after
// somebody and has a realm of its own, or more than that other one, may be either: that is refused.
func chooseOwner(login string, own belongings, all []candidate) (string, error) {
	var named []candidate
	for _, c := range all {
		if c.names(login) {
			named = append(named, c)
		}
	}
	switch {
	case len(named) == 0:
		return login, nil
	case len(named) == 1 && !own.Spaces && own.Count < named[0].Owns:
		return named[0].Name, nil
	}
	text := fmt.Sprintf("%q itself, which owns %d", login, own.Count)
	for _, c := range named {
		text += fmt.Sprintf("; %q, which owns %d, of which it was granted something on %d", c.Name, c.Owns, c.Lent)
	}
	return "", rotation.Refuse(rotation.WithHint(
		fmt.Errorf("whose objects %q works on is not clear: %s", login, text),
		"say in the configuration which role owns the application's objects (postgres.owner)"))
}

// ownerOf is whose objects the login r works on: what the login says of itself, else what the configuration says, else
// what the catalogue shows.
func (s *Server) ownerOf(ctx context.Context, n *session, r *role) (string, error) {
	if m, made := r.madeFor(); made {
		switch may, err := n.mayBecome(ctx, r.Name, m.of); {
		case err != nil:
			return "", err
		case may:
			return m.of, nil
		}
		return "", rotation.Refuse(rotation.WithHint(
			fmt.Errorf("the comment of %q says that it is a login of %q, and it is no member of it", r.Name, m.of),
			fmt.Sprintf("if it is one: GRANT %s TO %s; else take the comment away", ident(m.of), ident(r.Name))))
	}
	if owner := r.owner(); owner != r.Name {
		set, err := s.setByThief(ctx, n, r)
		if err != nil || !set {
			return owner, err
		}
		s.note("%s is set to act as %s, and owns objects itself: whoever has it may have set that, so the new login acts as %[1]s", r.Name, owner)
		return r.Name, nil
	}
	if r.joined() && r.Acts != "" {
		return r.Acts, nil // somebody has taken it out of its owner since
	}
	switch {
	case s.Strategy == Clone || s.Strategy == SameUser:
		return r.Name, nil // whose the objects are does not matter
	case s.Owner != "":
		return s.Owner, nil
	}
	own, all, err := n.candidates(ctx, r.Name)
	if err != nil {
		return "", err
	}
	return chooseOwner(r.Name, own, all)
}

// setByThief says whether the role that a leaked login acts as may be the choice of whoever has it: nobody but a rotation would have a login act as
// another that has objects of its own.
func (s *Server) setByThief(ctx context.Context, n *session, r *role) (bool, error) {
	if r.Name != s.Leaked || r.joined() {
		return false, nil
	}
	own, _, err := n.candidates(ctx, r.Name)
	return own.Count > 0, err
}

// mayBecome says whether a login may act as a role, by its memberships.
func (n *session) mayBecome(ctx context.Context, login, owner string) (bool, error) {
	may, err := one[bool](ctx, n, fmt.Sprintf(`SELECT coalesce(bool_or(pg_has_role(l.oid, o.oid, '%s')), false)
		FROM pg_roles l, pg_roles o WHERE l.rolname = $1 AND o.rolname = $2`, n.mayAct()), login, owner)
	return may, wrap(err, "reading the memberships of %s", login)
}

// realm are the rows of pg_shdepend that say who owns what. Default privileges and user mappings are noted as owned, and
// are no objects.
const realm = `
	owned AS (SELECT dbid, classid, objid, refobjid FROM pg_shdepend
		WHERE deptype = 'o' AND objsubid = 0 AND refclassid = 'pg_authid'::regclass
			AND classid NOT IN ('pg_default_acl'::regclass, 'pg_user_mapping'::regclass)),
	login AS (SELECT oid FROM pg_roles WHERE rolname = $1)`

// candidates are the roles that own what a login was granted something on, or that it is a member of. pg_shdepend is of
// all databases, so that none of them has to be gone to.
func (n *session) candidates(ctx context.Context, login string) (own belongings, all []candidate, err error) {
	row := n.conn.QueryRow(ctx, "WITH "+realm+`
		SELECT count(*)::int, coalesce(bool_or(classid IN ('pg_namespace'::regclass, 'pg_database'::regclass)), false)
		FROM owned JOIN login ON refobjid = login.oid`, login)
	if err = n.explain(row.Scan(&own.Count, &own.Spaces)); err != nil {
		return own, nil, wrap(err, "looking at what %s owns", login)
	}
	all, err = list(ctx, n, pgx.RowToStructByPos[candidate], "WITH "+realm+`,
		granted AS (SELECT DISTINCT s.dbid, s.classid, s.objid FROM pg_shdepend s JOIN login ON s.refobjid = login.oid
			WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = 'a'),
		counted AS (SELECT r.rolname::text, count(*)::int AS owns, count(g.objid)::int AS lent,
				EXISTS (SELECT FROM pg_auth_members m WHERE m.roleid = r.oid AND m.member = (SELECT oid FROM login)) AS member
			FROM owned o JOIN pg_roles r ON r.oid = o.refobjid LEFT JOIN granted g USING (dbid, classid, objid)
			WHERE NOT r.rolsuper AND r.rolname NOT IN ($1, current_user) GROUP BY r.oid, r.rolname)
		SELECT * FROM counted WHERE lent > 0 OR member ORDER BY lent DESC, rolname`, login)
	return own, all, wrap(err, "looking for the owner of what %s works on", login)
}
