package postgres

import (
	"context"
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// rights are what the admin may do about two roles.
type rights struct {
	createRole bool
	owner      bool // grant and alter the owner
	login      bool // alter and drop the login in use
	signal     bool // end sessions of others, also of logins that it makes: of those it is no member
	stats      bool // see where sessions of others come from
}

// grants wants the admin to have what the whole rotation takes, and names the first grant that is missing.
func (p *preflight) grants(ctx context.Context, current rotation.Credential) error {
	if p.n.super {
		return nil
	}
	has, err := p.n.rights(ctx, p.sub.owner, current.ID)
	if err != nil {
		return err
	}
	admin := ident(p.n.user)
	modern := p.n.version >= 160000 // before, CREATEROLE was enough to alter and grant any ordinary role
	switch {
	case !has.createRole:
		return p.lacks("may not create roles", "ALTER ROLE %s CREATEROLE", admin)
	case modern && !has.owner:
		return p.lacks("may not make members of "+p.sub.owner, "GRANT %s TO %s WITH ADMIN OPTION", ident(p.sub.owner), admin)
	case modern && !has.login:
		return p.lacks("may not alter "+current.ID, "GRANT %s TO %s WITH ADMIN OPTION", ident(current.ID), admin)
	case !has.signal:
		return p.lacks("may not end sessions of "+current.ID, "GRANT pg_signal_backend TO %s", admin)
	}
	if !has.stats {
		p.note("%s does not see whence sessions come: GRANT pg_read_all_stats TO %s", p.n.user, admin)
	}
	if !p.n.readable {
		p.note("%s may not read pg_authid: where the server asks for no password, a login cannot be proven", p.n.user)
	}
	return nil
}

func (p *preflight) lacks(what, grant string, args ...any) error {
	return rotation.Refuse(rotation.WithHint(fmt.Errorf("the admin %q %s", p.n.user, what), fmt.Sprintf(grant, args...)))
}

func (n *session) rights(ctx context.Context, owner, login string) (has rights, err error) {
	row := n.conn.QueryRow(ctx, `
		SELECT (SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user),
			(SELECT pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION') FROM pg_roles WHERE rolname = $1),
			(SELECT pg_has_role(current_user, oid, 'MEMBER WITH ADMIN OPTION') FROM pg_roles WHERE rolname = $2),
			pg_has_role(current_user, 'pg_signal_backend', 'USAGE'),
			pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')`, owner, login)
	err = n.explain(row.Scan(&has.createRole, &has.owner, &has.login, &has.signal, &has.stats))
	return has, wrap(err, "reading the rights of %s", n.user)
}
