package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

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
	// kin is true of a role that a login of this very target shows to be its own: its owner, what it was copied from, or what was
	// found in use and joined to the same owner.
	kin bool
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
	all, err := s.mates(ctx, n, c.ID)
	sub.serves, sub.clone = slices.Contains(all.owners, c.ID), all.clone
	sub.kin = slices.Contains(all.ours, c.ID) || all.clone != "" && all.ofOurs || r.joined() && slices.Contains(all.ours, sub.owner)
	return sub, err
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

// mayChange keeps effects from roles that they are not meant for. What may be changed: a login that was made for this target, a
// role that such a login shows to be its own, and one whose password the target knows, which the server accepts.
func (s *Server) mayChange(ctx context.Context, n *session, sub subject) error {
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
	login, made := r.madeFor()
	clone, copied := parseMark(r.Comment, cloneMark)
	switch {
	case made && login.target == s.Target && login.of == sub.owner, copied && clone.target == s.Target && clone.of == sub.model(), sub.kin:
		return nil
	case made && login.target == s.Target:
		return rotation.Refuse(fmt.Errorf("role %q is a login of %q, not of %q", r.Name, login.of, sub.owner))
	}
	known, err := s.knows(ctx, n, sub)
	if err != nil || known {
		return err
	}
	return sub.foreign(s.Target)
}

// foreign is the refusal of a role that nothing shows to be this target's.
func (sub subject) foreign(target string) error {
	r := sub.role
	m, made := r.madeFor()
	if !made {
		m, made = parseMark(r.Comment, cloneMark)
	}
	switch {
	case made && m.target != "" && m.target != target:
		return rotation.Refuse(rotation.WithHint(
			fmt.Errorf("role %q was made for another target, %s", r.Name, m.target),
			"it is left alone; rotate that target, or drop the role by hand if nobody needs it"))
	case sub.generated():
		return rotation.Refuse(rotation.WithHint(
			fmt.Errorf("role %q exists, and no rotation of this target has made it", r.Name),
			"find out whose it is; rename it, or drop it by hand if nobody needs it"))
	case sub.c.Value.Empty():
		return rotation.Refuse(rotation.WithHint(
			fmt.Errorf("role %q exists again, and nothing shows that it is the one that was retired", r.Name),
			"find out whose it is, and drop it by hand if nobody needs it"))
	}
	return rotation.Refuse(rotation.WithHint(
		fmt.Errorf("the server does not accept the password on record for role %q, and no rotation of this target has made it", r.Name),
		"put the password that the application really uses into the Secret first"))
}

// knows says whether the target has a password that the server accepts for sub's login: then it is entitled to it. Who knows none, and
// answers to a leak, may have it in use by a pod of its own, or be trusted by the operator.
func (s *Server) knows(ctx context.Context, n *session, sub subject) (bool, error) {
	if s.Record == nil && !sub.generated() && !sub.c.Value.Empty() {
		return true, nil
	}
	if s.known[sub.c.ID] && !sub.role.knows {
		return true, nil // it may be refused for a while now, and not show it again
	}
	values := []rotation.Credential{sub.c}
	if s.Record != nil {
		rec, err := s.Record(ctx)
		if err != nil {
			return false, fmt.Errorf("reading what is on record: %w", err)
		}
		values = append(append(values, rec.Current), slices.Collect(maps.Values(rec.Live))...)
	}
	for _, c := range values {
		if c.ID != sub.c.ID || c.Value.Empty() {
			continue
		}
		known, err := s.accepted(ctx, n, sub, c.Value)
		if known && s.known == nil {
			s.known = map[string]bool{}
		}
		if known {
			s.known[sub.c.ID] = true
		}
		if known || err != nil {
			return known, err
		}
	}
	if s.Leaked == "" || s.Leaked != sub.c.ID || sub.generated() {
		return false, nil
	}
	return s.trusted(ctx, n, sub.c.ID)
}

// accepted says whether a password is the one that the server has for a login. Where what is stored may not be read, a login tells.
func (s *Server) accepted(ctx context.Context, n *session, sub subject, password rotation.Secret) (bool, error) {
	r := sub.role
	if r.knows {
		switch fits(r.verifier, r.Name, password) {
		case fitYes:
			return true, nil
		case fitNo:
			return false, nil
		}
	}
	if !r.CanLogin {
		return false, nil
	}
	databases, err := n.databases(ctx, sub)
	if err != nil || len(databases) == 0 {
		return false, err
	}
	conn, err := s.as(ctx, attempt{sub: sub, node: n, database: databases[0]}, password, "scram-sha-256,md5,password")
	switch {
	case errors.Is(err, rotation.ErrUnavailable): // that could not be told
		return false, err
	case err != nil:
		return false, ctx.Err()
	}
	part(conn)
	return true, nil
}

// trusted says whether a leaked login is this target's although nobody knows its password any more: a pod of its consumers has a session of
// it, or the operator says so.
func (s *Server) trusted(ctx context.Context, n *session, login string) (bool, error) {
	if agreed := s.Agreed != nil && s.Agreed(rotation.ConsentOwnership); agreed || s.Own == nil {
		return agreed, nil
	}
	all, err := (&cluster{primary: n}).sessions(ctx, login)
	return slices.ContainsFunc(all, func(a rotation.Session) bool { return s.Own(ctx, a.Address) }), err
}

// entitled refuses to make a login for an owner, or after a model, that is none of this target's logins. A record alone proves nothing:
// the target has to know the password of a login that may act as that owner.
func (s *Server) entitled(ctx context.Context, n *session, sub subject) error {
	if s.Record == nil {
		return nil
	}
	rec, err := s.Record(ctx)
	if err != nil {
		return fmt.Errorf("reading what is on record: %w", err)
	}
	wanted := sub.owner
	if sub.cloned() {
		wanted = sub.model()
	}
	for _, c := range append([]rotation.Credential{rec.Current}, slices.Collect(maps.Values(rec.Live))...) {
		has, err := s.entitles(ctx, n, c, sub)
		if err != nil || has {
			return err
		}
	}
	return rotation.Refuse(rotation.WithHint(
		fmt.Errorf("nothing entitles this target to %q: no login that it knows the password of may act as it", wanted),
		fmt.Sprintf("find out who wrote the record beside the Secret; if %s is right, GRANT it to the login in the Secret", ident(wanted))))
}

// entitles says whether holding c entitles to make sub: c's login is the model of a clone, or it is the owner or may act as it.
func (s *Server) entitles(ctx context.Context, n *session, c rotation.Credential, sub subject) (bool, error) {
	if checkName("role", c.ID) != nil {
		return false, nil
	}
	held, err := s.subject(ctx, n, rotation.Credential{ID: c.ID, Value: c.Value, Meta: c.Meta})
	if err != nil || held.role == nil {
		return false, err
	}
	if err := s.mayChange(ctx, n, held); err != nil {
		if errors.Is(err, rotation.ErrRefused) {
			err = nil
		}
		return false, err
	}
	switch {
	case sub.cloned():
		return c.ID == sub.model(), nil
	case c.ID == sub.owner:
		return true, nil
	}
	if may, err := n.mayBecome(ctx, c.ID, sub.owner); may || err != nil {
		return may, err
	}
	owner, err := s.ownerOf(ctx, n, held.role)
	return owner == sub.owner, err
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
