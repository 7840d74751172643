package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// holdings are what a login that somebody made by hand has in one database beside its owner's rights, together with what
// all databases share.
type holdings struct {
	login, owner string
	membership   statement // that makes the login a member of the owner
	owns         int
	lends        bool // what the login makes from now on is the owner's to use
	grants       []grant
	defaults     []defaultGrant
	policies     []policy
	mappings     []mapping
	parts        []string // owners of what is granted whose part an admin who is no superuser may take
}

// grant is privileges on one object, to the login or by it.
type grant struct {
	On         string // as GRANT has it: TABLE public.items
	Of         string // who owns the object
	Privileges string
	Option     bool // the grantee may grant them on
	By, To     string
	Held       bool // the login's owner has them without it
}

// defaultGrant is privileges on what will be made: by anybody for the login, or by the login for anybody.
type defaultGrant struct {
	Maker      string
	Schema     string // "" is all
	Kind       string // TABLES
	Privileges string
	Option     bool
	To         string
	Held       bool // the same is there for the login's owner
}

// policy is a row-level policy that names the login.
type policy struct {
	Name, Table string // quoted
	Permissive  bool
	Roles       []string
}

// mapping is what the login is known as at a foreign server.
type mapping struct {
	Server string // quoted
	Same   bool   // its owner has the same
	Other  bool   // its owner has another
}

// holdings reads what login has in the session's database.
func (n *session) holdings(ctx context.Context, login, owner string) (h holdings, err error) {
	h = holdings{login: login, owner: owner, membership: n.membership(owner, login)}
	row := n.conn.QueryRow(ctx, "WITH "+realm+`
		SELECT (SELECT count(*)::int FROM owned JOIN login ON refobjid = login.oid
				WHERE dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))),
			(SELECT count(*) = 5 FROM pg_default_acl d, login
				WHERE d.defaclrole = login.oid AND d.defaclnamespace = 0 AND d.defaclobjtype IN ('r', 'S', 'f', 'T', 'n') AND EXISTS (
					SELECT FROM aclexplode(d.defaclacl) e JOIN pg_roles o ON o.oid = e.grantee WHERE o.rolname = $2))`, login, owner)
	if err = n.explain(row.Scan(&h.owns, &h.lends)); err != nil {
		return h, wrap(err, "looking at what %s owns", login)
	}
	if h.grants, err = list(ctx, n, pgx.RowToStructByPos[grant], n.grantsQuery(), login, owner); err != nil {
		return h, wrap(err, "reading the grants of %s", login)
	}
	if h.parts, err = n.partsIn(ctx, h.grants); err != nil {
		return h, err
	}
	if h.defaults, err = list(ctx, n, pgx.RowToStructByPos[defaultGrant], defaultsQuery, login, owner); err != nil {
		return h, wrap(err, "reading the default privileges of %s", login)
	}
	if h.policies, err = list(ctx, n, pgx.RowToStructByPos[policy], policiesQuery, login); err != nil {
		return h, wrap(err, "reading the policies that name %s", login)
	}
	h.mappings, err = list(ctx, n, pgx.RowToStructByPos[mapping], mappingsQuery, login, owner)
	return h, wrap(err, "reading the user mappings of %s", login)
}

// partsIn are the owners of what was granted that the admin may act as, where he is no superuser, who grants as the owner anyway.
func (n *session) partsIn(ctx context.Context, grants []grant) (names []string, err error) {
	if n.super {
		return nil, nil
	}
	for _, g := range grants {
		names = append(names, g.Of)
	}
	may := "MEMBER"
	if n.version >= 160000 {
		may = "SET"
	}
	names, err = list(ctx, n, pgx.RowTo[string],
		"SELECT rolname::text FROM pg_roles WHERE rolname = ANY ($1::text[]) AND rolname <> current_user AND pg_has_role(oid, $2)", names, may)
	return names, wrap(err, "reading whom %s may act as", n.user)
}

// grantsQuery finds the privileges on every kind of object that the server has.
func (n *session) grantsQuery() string {
	parameters := ""
	if n.version >= 150000 {
		parameters = `UNION ALL SELECT 'pg_parameter_acl'::regclass, oid, '', paracl, 10 FROM pg_parameter_acl`
	}
	return `
	WITH acls (class, oid, col, acl, owner) AS (
		SELECT 'pg_class'::regclass, oid, '', relacl, relowner FROM pg_class
		UNION ALL SELECT 'pg_class'::regclass, c.oid, format(' (%I)', a.attname), a.attacl, c.relowner
			FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE NOT a.attisdropped
		UNION ALL SELECT 'pg_proc'::regclass, oid, '', proacl, proowner FROM pg_proc
		UNION ALL SELECT 'pg_namespace'::regclass, oid, '', nspacl, nspowner FROM pg_namespace
		UNION ALL SELECT 'pg_database'::regclass, oid, '', datacl, datdba FROM pg_database
		UNION ALL SELECT 'pg_type'::regclass, oid, '', typacl, typowner FROM pg_type
		UNION ALL SELECT 'pg_language'::regclass, oid, '', lanacl, lanowner FROM pg_language
		UNION ALL SELECT 'pg_largeobject'::regclass, oid, '', lomacl, lomowner FROM pg_largeobject_metadata
		UNION ALL SELECT 'pg_tablespace'::regclass, oid, '', spcacl, spcowner FROM pg_tablespace
		UNION ALL SELECT 'pg_foreign_data_wrapper'::regclass, oid, '', fdwacl, fdwowner FROM pg_foreign_data_wrapper
		UNION ALL SELECT 'pg_foreign_server'::regclass, oid, '', srvacl, srvowner FROM pg_foreign_server
		` + parameters + `),
	given AS (
		SELECT a.*, e.*, pg_has_role(owner.oid, a.owner, 'USAGE') OR EXISTS (
			SELECT FROM aclexplode(a.acl) h WHERE h.privilege_type = e.privilege_type AND (h.is_grantable OR NOT e.is_grantable)
				AND CASE h.grantee WHEN 0 THEN true WHEN e.grantee THEN false ELSE pg_has_role(owner.oid, h.grantee, 'USAGE') END) AS held
		FROM pg_roles login, pg_roles owner, acls a, aclexplode(a.acl) e
		WHERE login.rolname = $1 AND owner.rolname = $2 AND login.oid IN (e.grantee, e.grantor))
	SELECT CASE
			WHEN i.type IN ('table', 'view', 'materialized view', 'foreign table') THEN 'TABLE'
			WHEN i.type IN ('function', 'procedure', 'aggregate') THEN 'ROUTINE'
			WHEN i.type = 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER'
			WHEN i.type = 'server' THEN 'FOREIGN SERVER'
			WHEN i.type = 'parameter ACL' THEN 'PARAMETER'
			ELSE upper(i.type) END || ' ' || i.identity,
		pg_get_userbyid(g.owner)::text, string_agg(g.privilege_type || g.col, ', ' ORDER BY g.privilege_type, g.col), g.is_grantable,
		pg_get_userbyid(g.grantor)::text, CASE g.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(g.grantee)::text END, g.held
	FROM given g, pg_identify_object(g.class, g.oid, 0) i
	GROUP BY 1, g.owner, g.is_grantable, g.grantor, g.grantee, g.held ORDER BY 1, 5, 6, 3`
}

// The built-in privileges of PUBLIC on functions and types show once a role has default privileges of its own; they are not
// what somebody gave.
const defaultsQuery = `
	SELECT pg_get_userbyid(d.defaclrole)::text, coalesce(s.nspname::text, ''),
		CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'ROUTINES' WHEN 'T' THEN 'TYPES'
			WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS' END,
		string_agg(e.privilege_type, ', ' ORDER BY e.privilege_type), e.is_grantable,
		CASE e.grantee WHEN 0 THEN '' ELSE pg_get_userbyid(e.grantee)::text END,
		bool_and(EXISTS (
			SELECT FROM pg_default_acl o, aclexplode(o.defaclacl) h
			WHERE o.defaclnamespace = d.defaclnamespace AND o.defaclobjtype = d.defaclobjtype AND h.privilege_type = e.privilege_type
				AND (h.is_grantable OR NOT e.is_grantable)
				AND o.defaclrole = CASE d.defaclrole WHEN login.oid THEN owner.oid ELSE d.defaclrole END
				AND h.grantee = CASE e.grantee WHEN login.oid THEN owner.oid ELSE e.grantee END))
	FROM pg_default_acl d LEFT JOIN pg_namespace s ON s.oid = d.defaclnamespace, aclexplode(d.defaclacl) e, pg_roles login, pg_roles owner
	WHERE login.rolname = $1 AND owner.rolname = $2 AND login.oid IN (d.defaclrole, e.grantee) AND d.defaclrole <> e.grantee
		AND NOT (e.grantee = 0 AND d.defaclnamespace = 0 AND d.defaclobjtype IN ('f', 'T'))
	GROUP BY d.oid, 1, 2, 3, e.is_grantable, e.grantee ORDER BY 1, 2, 3, 6`

const policiesQuery = `
	SELECT format('%I', p.polname), format('%I.%I', s.nspname, c.relname), p.polpermissive,
		ARRAY(SELECT r.rolname::text FROM pg_roles r WHERE r.oid = ANY (p.polroles) ORDER BY r.oid)
	FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace s ON s.oid = c.relnamespace
	WHERE (SELECT oid FROM pg_roles WHERE rolname = $1) = ANY (p.polroles) ORDER BY 2, 1`

const mappingsQuery = `
	SELECT format('%I', m.srvname),
		EXISTS (SELECT FROM pg_user_mappings o WHERE o.srvid = m.srvid AND o.usename = $2 AND o.umoptions IS NOT DISTINCT FROM m.umoptions),
		EXISTS (SELECT FROM pg_user_mappings o WHERE o.srvid = m.srvid AND o.usename = $2)
	FROM pg_user_mappings m WHERE m.usename = $1 ORDER BY 1`
