package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// subject is a credential together with what the catalogue says of its login.
type subject struct {
	c     rotation.Credential
	admin string
	role  *role  // nil where there is none
	owner string // whose objects the login works on; "" where neither the credential nor the catalogue tells
	// serves is true of a role that a login made here names as its owner.
	serves bool
	clone  string // the login that was made as a clone of this one; "" for none
}

// subject looks c up.
func (s *Server) subject(ctx context.Context, n *session, c rotation.Credential) (subject, error) {
	sub := subject{c: c, admin: s.Admin.User, owner: c.Meta[MetaOwner]}
	if err := checkName("role", c.ID); err != nil {
		return sub, err
	}
	r, err := n.role(ctx, c.ID)
	if err != nil || r == nil {
		return sub, err
	}
	sub.role = r
	if sub.owner == "" {
		if sub.owner, err = s.ownerOf(ctx, n, r); err != nil {
			return sub, err
		}
	}
	sub.serves, err = one[bool](ctx, n, `
		SELECT EXISTS (SELECT FROM pg_roles r WHERE shobj_description(r.oid, 'pg_authid') = $1)`, loginMark+c.ID)
	if err == nil {
		sub.clone, err = n.cloneOf(ctx, c.ID)
	}
	return sub, wrap(err, "looking for the logins of %s", c.ID)
}

// generated is true of a credential that Generate made; others were found in use.
func (sub subject) generated() bool {
	owner := sub.c.Meta[MetaOwner]
	return StrategyOf(sub.c) == Clone || owner != "" && owner != sub.c.ID
}

// adopted is true of a login that owns the application's objects itself.
func (sub subject) adopted() bool { return sub.owner == sub.c.ID && !sub.copied() }

// acts is the role that sessions of the login have to act as: the owner, or what one that was found in use acts as now, if no
// rotation has changed that.
func (sub subject) acts() string {
	if sub.generated() || sub.role.joined() {
		return sub.owner
	}
	return sub.role.owner()
}

// mayChange keeps effects from roles that they are not meant for. What may be changed: a login that was made here, the
// credential in use that was found, and, where only its name is left on record, the owner of logins made here.
func (sub subject) mayChange() error {
	r := sub.role
	if r == nil {
		return nil
	}
	if r.Name == sub.admin {
		return rotation.Refuse(rotation.WithHint(fmt.Errorf("%q is the admin itself", r.Name), "use another role as the admin"))
	}
	if err := r.ordinary(); err != nil {
		return err
	}
	owner, ours := r.madeFor()
	switch {
	case ours && owner == sub.owner:
		return nil
	case ours:
		return rotation.Refuse(fmt.Errorf("role %q is a login of %q, not of %q", r.Name, owner, sub.owner))
	case !sub.c.Value.Empty() && r.knows && fits(r.verifier, r.Name, sub.c.Value) == fitYes:
		return nil // it has our password, whoever took the mark off
	case sub.isOurClone():
		return nil
	case sub.generated():
		return rotation.Refuse(rotation.WithHint(
			fmt.Errorf("role %q exists, and no rotation has made it", r.Name),
			fmt.Sprintf("find out whose it is; rename or drop it, or give it the comment %q", loginMark+sub.owner)))
	case sub.c.Value.Empty() && !sub.serves && sub.clone == "" && !r.marked() && !r.joined():
		return rotation.Refuse(rotation.WithHint(
			fmt.Errorf("role %q exists again, and nothing shows that it is the one that was retired", r.Name),
			"find out whose it is, and drop it by hand if nobody needs it"))
	}
	return nil
}

// ordinary refuses roles whose rights do not come with a membership, or that a mistake would be too dear with.
func (r *role) ordinary() error {
	switch {
	case r.Super:
		return rotation.Refuse(rotation.WithHint(fmt.Errorf("%q is a superuser", r.Name), "give the application a role of its own"))
	case r.Replication:
		return rotation.Refuse(fmt.Errorf("%q may replicate (REPLICATION): members of a role do not inherit that", r.Name))
	case r.BypassRLS:
		return rotation.Refuse(fmt.Errorf("%q bypasses row-level security (BYPASSRLS): members of a role do not inherit that", r.Name))
	}
	return nil
}

var errNoValue = errors.New("its value is not known")
