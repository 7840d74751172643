package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// SingleLogin is a Server whose login stays and whose password changes. PostgreSQL stores one password for a login, so that
// no two versions overlap: it is a [rotation.Single]. Generate keeps the login's name; a version whose password is not the
// one that is stored is absent; nothing but Install changes anything.
type SingleLogin struct{ *Server }

var _ rotation.Single = SingleLogin{}

// Gap says what the application loses.
func (s SingleLogin) Gap() string {
	return "PostgreSQL stores one password for a login: from install to the end of the rollout, a pod that opens a new connection " +
		"with the other password is refused; sessions that are open stay"
}

// Generate makes a new password for the login in use.
func (s SingleLogin) Generate(ctx context.Context, v rotation.Version, current rotation.Credential) (rotation.Credential, error) {
	err := s.with(ctx, func(ctx context.Context, cl *cluster) error {
		_, err := cl.primary.existing(ctx, current.ID)
		return err
	})
	if err != nil {
		return rotation.Credential{}, fmt.Errorf("making %v of %s: %w", v, current.ID, err)
	}
	c := rotation.Credential{V: v, ID: current.ID, Meta: map[string]string{MetaStrategy: string(SameUser)}}
	c.Value, err = rotation.NewPassword(s.Rand)
	return c, err
}

// Standing is how each place treats c, as [Server.Standing] tells it, but for one thing: where another password is stored, c is
// absent. What the catalogue tells is not tried, which would look like an attack in the server's log.
func (s SingleLogin) Standing(ctx context.Context, c rotation.Credential) (places []rotation.Standing, err error) {
	err = s.with(ctx, func(ctx context.Context, cl *cluster) error {
		if c.Value.Empty() {
			return errNoValue
		}
		view, err := s.behindLock(ctx, cl, plain(c))
		if err != nil {
			return err
		}
		for _, n := range cl.nodes() {
			more, err := s.standingOf(ctx, n, view)
			if err != nil {
				return wrap(err, "at %s", n.node.Name)
			}
			places = append(places, more...)
		}
		for _, d := range cl.down {
			places = append(places, rotation.Standing{Where: d.Name, Status: rotation.Unknown, Proof: d.err.Error()})
		}
		if slices.ContainsFunc(places, func(p rotation.Standing) bool { return p.Status == rotation.Absent }) {
			return nil
		}
		more, err := s.standingAtDoors(ctx, view.sub)
		places = append(places, more...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("how %v of %s stands: %w", c.V, c.ID, err)
	}
	return places, nil
}

// plain is c as if it had been found in use: no other login has to do with it.
func plain(c rotation.Credential) rotation.Credential {
	c.Meta = nil
	return c
}

func (s SingleLogin) standingOf(ctx context.Context, n *session, v view) ([]rotation.Standing, error) {
	sub, current, err := s.asSeenBy(ctx, n, v)
	if err != nil {
		return nil, err
	}
	if !current || !sub.letsIn() || len(v.databases) == 0 {
		return s.standingAt(ctx, n, v)
	}
	refused, proof, err := s.hasAnother(ctx, n, sub, v.databases[0])
	if refused {
		return n.place("", rotation.Absent, proof), err
	}
	if err != nil {
		return nil, err
	}
	return s.standingAt(ctx, n, v)
}

// hasAnother says whether a node has another password for the login than c's; false where it cannot be told.
func (s SingleLogin) hasAnother(ctx context.Context, n *session, sub subject, database string) (other bool, proof string, err error) {
	if r := sub.role; r.knows {
		return fits(r.verifier, r.Name, sub.c.Value) == fitNo, "pg_authid: another password is stored", nil
	}
	ctx, cancel := context.WithTimeout(ctx, loginPatience)
	defer cancel()
	conn, err := s.as(ctx, attempt{sub: sub, node: n, database: database}, sub.c.Value, "scram-sha-256")
	if err == nil {
		part(conn)
		return false, "", nil
	}
	return code(err) == codeWrongPassword, "the server has another password for it", ctx.Err()
}

// InUse is not known: a session does not show which password it was opened with.
func (s SingleLogin) InUse(context.Context, rotation.Credential) (rotation.Usage, error) {
	return rotation.Usage{}, nil
}

// Install makes c's password the one that is stored, on the primary, in one transaction. Every other version is refused
// from then on. Where the one before has leaked, the login is refused for the moment of the change and its sessions are ended: any
// of them could change the password again.
func (s SingleLogin) Install(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	if s.Leaked != "" {
		if err := s.Server.Revoke(ctx, f, plain(c)); err != nil {
			return err
		}
	}
	return s.Server.Install(ctx, f, plain(c))
}

// Revoke changes nothing: the login is the target's too. It is refused while c's password is the one that is stored.
func (s SingleLogin) Revoke(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	return wrap(s.leave(ctx, f, c), "revoking %v of %s", c.V, c.ID)
}

// Erase changes nothing: the login is the target's too. It is refused while c's password is the one that is stored. Where that has
// leaked, all sessions of the login are ended, since one that was opened with it cannot be told from others; clients come back with
// what they hold.
func (s SingleLogin) Erase(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	err := s.leave(ctx, f, c)
	if err == nil && s.Leaked != "" {
		err = s.with(ctx, func(ctx context.Context, cl *cluster) error {
			if err := s.ending(ctx, cl, f, terminateAll, c.ID); err != nil {
				return err
			}
			return cl.whole()
		})
	}
	return wrap(err, "erasing %v of %s", c.V, c.ID)
}

func (s SingleLogin) leave(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	places, err := s.Standing(ctx, c)
	if err != nil {
		return err
	}
	for _, p := range places {
		if p.Status != rotation.Absent {
			return rotation.Refuse(rotation.WithHint(
				fmt.Errorf("at %s its password may be the one that is stored (%s: %s)", p.Where, p.Status, p.Proof),
				"install the other version first"))
		}
	}
	return s.pass(ctx, f)
}

// Plan is the SQL that an effect on c would run.
func (s SingleLogin) Plan(ctx context.Context, e rotation.Effect, c rotation.Credential) ([]string, error) {
	switch e {
	case rotation.EffectInstall:
		return s.Server.Plan(ctx, e, plain(c))
	case rotation.EffectRevoke:
		return []string{fmt.Sprintf("-- nothing to do for role %s: the password of %v is not stored any more", ident(c.ID), c.V)}, nil
	}
	return []string{fmt.Sprintf("-- role %s stays; the value of %v is forgotten", ident(c.ID), c.V)}, nil
}

// Preflight looks for whatever would keep the password of current from being changed. See [Server.Preflight].
func (s SingleLogin) Preflight(ctx context.Context, current rotation.Credential) ([]string, error) {
	return s.preflight(ctx, plain(current), func(p *preflight) []look {
		if s.Leaked != "" {
			return []look{p.exists, p.login, p.kept, p.owner, p.alters, p.entitled, p.told(p.acts), p.told(p.headroom)}
		}
		return []look{p.exists, p.login, p.acts, p.kept, p.owner, p.alters, p.headroom, p.limit, p.value}
	})
}

// alters wants the admin to be able to change the login.
func (p *preflight) alters(ctx context.Context, current rotation.Credential) error {
	if p.n.super {
		return nil
	}
	has, err := p.n.rights(ctx, p.sub.owner, current.ID)
	admin := ident(p.n.user)
	switch {
	case err != nil:
		return err
	case !has.createRole:
		return p.lacks("may not alter roles", "ALTER ROLE %s CREATEROLE", admin)
	case p.n.version >= 160000 && !has.login:
		return p.lacks("may not alter "+current.ID, "GRANT %s TO %s WITH ADMIN OPTION", ident(current.ID), admin)
	}
	return nil
}

// limit wants room within the login's own connection limit, which old and new pods share while the application rolls.
func (p *preflight) limit(ctx context.Context, current rotation.Credential) error {
	limit := p.sub.role.Limit
	if limit < 0 {
		return nil
	}
	used, err := one[int](ctx, p.n, `SELECT count(*)::int FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
		WHERE r.rolname = $1 AND a.pid::text <> ALL ($2::text[])`, current.ID, p.s.connections(p.n.node.Name))
	if err != nil || 2*used < limit {
		return wrap(err, "counting the connections of %s", current.ID)
	}
	return rotation.Refuse(rotation.WithHint(
		fmt.Errorf("%s may have %d connections and has %d: they are doubled while the application rolls", current.ID, limit, used),
		fmt.Sprintf("raise the limit: ALTER ROLE %s CONNECTION LIMIT …", ident(current.ID))))
}

// kept notes what a change of the password leaves as it is, and what it does not.
func (p *preflight) kept(context.Context, rotation.Credential) error {
	if p.sub.role.Expires {
		p.note("the password of %s has an end (VALID UNTIL), which the next one keeps", p.sub.role.Name)
	}
	p.md5()
	return nil
}
