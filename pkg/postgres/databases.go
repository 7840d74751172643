package postgres

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// databases are those that the login of sub may connect to by its owner's rights and that it has anything to do with: they
// are its owner's, hold something of its owner or a grant or setting for it, or have a session of it now. Everybody
// may connect to "postgres", and few do. Where it has to do with none, they are all that it may connect to.
func (n *session) databases(ctx context.Context, sub subject) ([]string, error) {
	logins := []string{sub.owner, sub.c.ID, sub.c.Meta[MetaModel]}
	names, err := list(ctx, n, pgx.RowTo[string], `
		WITH mine AS (SELECT oid FROM pg_roles WHERE rolname = ANY ($2::text[])),
		open AS (
			SELECT d.datname::text, (
				d.datdba IN (SELECT oid FROM mine)
				OR EXISTS (SELECT FROM aclexplode(d.datacl) a WHERE a.grantee IN (SELECT oid FROM mine))
				OR EXISTS (SELECT FROM pg_shdepend s WHERE s.dbid = d.oid
					AND s.refclassid = 'pg_authid'::regclass AND s.refobjid IN (SELECT oid FROM mine))
				OR EXISTS (SELECT FROM pg_db_role_setting s WHERE s.setdatabase = d.oid AND s.setrole IN (SELECT oid FROM mine))
				OR EXISTS (SELECT FROM pg_stat_activity a WHERE a.datid = d.oid AND a.usesysid IN (SELECT oid FROM mine))
			) AS used
			FROM pg_database d
			WHERE d.datallowconn AND NOT d.datistemplate
				AND has_database_privilege((SELECT oid FROM pg_roles WHERE rolname = $1), d.oid, 'CONNECT'))
		SELECT datname FROM open WHERE used OR NOT EXISTS (SELECT FROM open WHERE used) ORDER BY 1`,
		sub.owner, logins)
	return names, wrap(err, "looking for the databases of %s", sub.owner)
}
