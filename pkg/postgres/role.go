package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// role is what one node's catalogue says of a role.
type role struct {
	Name        string
	CanLogin    bool
	Super       bool
	Replication bool
	BypassRLS   bool
	Limit       int    // of connections; -1 is none
	Expires     bool   // its password has an end
	Expired     bool   // which is past
	Comment     string // see mark.go
	Acts        string // the role that its sessions are set to act as; "" is itself
	MayAct      bool   // it is a member of that role and may be set to it
	Stored      string // read into verifier, and no further
	verifier    rotation.Secret
	knows       bool // verifier is what is stored; empty means that there is no password
}

// role reads one role; nil means that there is none of that name.
func (n *session) role(ctx context.Context, name string) (*role, error) {
	found, err := list(ctx, n, pgx.RowToAddrOfStructByPos[role], fmt.Sprintf(`
		SELECT r.rolname, r.rolcanlogin, r.rolsuper, r.rolreplication, r.rolbypassrls, r.rolconnlimit,
			coalesce(r.rolvaliduntil < 'infinity', false), coalesce(r.rolvaliduntil < now(), false),
			coalesce(shobj_description(r.oid, 'pg_authid'), ''),
			coalesce(acts.name, ''), coalesce(pg_has_role(r.oid, o.oid, '%s'), false), coalesce(%s, '')
		FROM pg_roles r
		LEFT JOIN LATERAL (
			SELECT substr(c, 6) AS name FROM pg_db_role_setting s, unnest(s.setconfig) AS c
			WHERE s.setrole = r.oid AND s.setdatabase = 0 AND c LIKE 'role=%%' AND c <> 'role=none') acts ON true
		LEFT JOIN pg_roles o ON o.rolname = acts.name
		WHERE r.rolname = $1`, n.mayAct(), n.stored()), name)
	if err != nil || len(found) == 0 {
		return nil, wrap(err, "reading role %s", name)
	}
	r := found[0]
	r.verifier, r.knows, r.Stored = rotation.NewSecret([]byte(r.Stored)), n.readable, ""
	return r, nil
}

// stored is the expression for a role's verifier, where the admin may read it.
func (n *session) stored() string {
	if n.readable {
		return "(SELECT a.rolpassword FROM pg_authid a WHERE a.oid = r.oid)"
	}
	return "NULL"
}

// mayAct is the privilege that SET ROLE takes, as pg_has_role calls it: from 16 on, membership alone is not enough.
func (n *session) mayAct() string {
	if n.version >= 160000 {
		return "SET"
	}
	return "MEMBER"
}

// existing is role, with a refusal where there is none.
func (n *session) existing(ctx context.Context, name string) (*role, error) {
	if err := checkName("role", name); err != nil {
		return nil, err
	}
	r, err := n.role(ctx, name)
	if err == nil && r == nil {
		err = rotation.Refuse(fmt.Errorf("role %q does not exist on %s", name, n.node.Name))
	}
	return r, err
}

// owner is the role that owns what r makes: the one that its sessions act as, else itself. Where a setting names
// a role that r may not act as, the server only warns at the login, and r stays itself.
func (r *role) owner() string {
	if r.Acts != "" && r.MayAct {
		return r.Acts
	}
	return r.Name
}
