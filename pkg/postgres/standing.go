package postgres

import (
	"context"
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Standing is how the primary and each standby treat c. What a role's attributes decide is one place a node: no such role, or
// NOLOGIN. A login that may come in is tried in every database that it uses: that is one place each. Where c has
// no value, the attributes alone are looked at.
//
// An adopted login that was erased is absent, although its role stays: it has neither LOGIN nor a password. An admin
// who may not see whether there is a password goes by the comment that Erase left.
//
// Altered is a login that can come in and is not as it was installed: with another password, an expired one, or acting as
// somebody else. A standby that has not replayed what the primary knows is unknown, and so is a node that
// cannot be reached. Every effect whose fence was passed before this call has ended before it looks.
func (s *Server) Standing(ctx context.Context, c rotation.Credential) (places []rotation.Standing, err error) {
	err = s.with(ctx, func(ctx context.Context, cl *cluster) error {
		view, err := s.behindLock(ctx, cl, c)
		if err != nil {
			return err
		}
		for _, n := range cl.nodes() {
			more, err := s.standingAt(ctx, n, view)
			if err != nil {
				return wrap(err, "at %s", n.node.Name)
			}
			places = append(places, more...)
		}
		for _, d := range cl.down {
			places = append(places, rotation.Standing{Where: d.Name, Status: rotation.Unknown, Proof: d.err.Error()})
		}
		more, err := s.standingAtDoors(ctx, view.sub)
		places = append(places, more...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("how %s stands: %w", c.ID, err)
	}
	return places, nil
}

// view is what the primary's catalogue says, read when no effect was under way.
type view struct {
	sub       subject
	databases []string
	lacks     string // what it has not and should, in words; "" for nothing
	position  string // of the primary's log; "" where there is no standby to compare with
}

func (s *Server) behindLock(ctx context.Context, cl *cluster, c rotation.Credential) (v view, err error) {
	n := cl.primary
	err = s.locked(ctx, n, shared, func(ctx context.Context) error {
		if v.sub, err = s.subject(ctx, n, c); err != nil {
			return err
		}
		if len(cl.standbys) > 0 {
			if v.position, err = n.position(ctx); err != nil {
				return err
			}
		}
		if v.sub.letsIn() {
			v.databases, err = n.databases(ctx, v.sub)
		}
		if err == nil && v.sub.letsIn() && v.sub.copied() && !c.Value.Empty() && s.Leaked == "" {
			v.lacks, err = s.lacks(ctx, n, v.sub)
		}
		return err
	})
	return v, err
}

func (s *Server) standingAt(ctx context.Context, n *session, v view) ([]rotation.Standing, error) {
	sub, current, err := s.asSeenBy(ctx, n, v)
	if err != nil {
		return nil, err
	}
	status, proof := sub.attributes()
	switch {
	case !current && !(sub.letsIn() && v.sub.letsIn()):
		return n.place("", rotation.Unknown, "this standby has not replayed yet what the primary knows"), nil
	case status != rotation.Unknown:
		return n.place("", status, proof), nil
	}
	if v.lacks != "" {
		return n.place("", rotation.Altered, v.lacks), nil
	}
	if len(v.databases) == 0 {
		return n.place("", rotation.Unknown, "there is no database that it may connect to"), nil
	}
	doubt, err := n.hbaDoubt(ctx, sub, v.databases)
	if err != nil {
		return nil, err
	}
	mark, err := n.mark(ctx, sub)
	if err != nil {
		return nil, err
	}
	var places []rotation.Standing
	got, err := s.tryAll(ctx, attempt{sub: sub, node: n, mark: mark, doubt: doubt}, v.databases)
	for i, database := range v.databases {
		places = append(places, n.place(database, got[i].status, got[i].proof)...)
	}
	return places, err
}

// standingAtDoors is how the doors treat a login that the primary lets in: another one they cannot let in.
func (s *Server) standingAtDoors(ctx context.Context, sub subject) (places []rotation.Standing, err error) {
	if !sub.letsIn() || sub.c.Value.Empty() {
		return nil, nil
	}
	for _, d := range s.Doors {
		place, err := d.standing(ctx, s, sub)
		if err != nil {
			return nil, wrap(err, "at %s", d.Name)
		}
		places = append(places, advice(place, sub.c.ID))
	}
	return places, nil
}

// asSeenBy is the subject as one node's catalogue has it. current is false of a standby that may yet replay something that the
// primary knows, after which it may treat the credential in another way.
func (s *Server) asSeenBy(ctx context.Context, n *session, v view) (sub subject, current bool, err error) {
	if !n.standby {
		return v.sub, true, nil
	}
	if current, err = n.replayed(ctx, v.position, s.replayWait()); err != nil {
		return sub, false, err
	}
	sub, err = s.subject(ctx, n, v.sub.c)
	return sub, current, err
}

func (sub subject) letsIn() bool { return sub.role != nil && sub.role.CanLogin }

// attributes is what the role's attributes alone decide; Unknown where a login has to be tried.
func (sub subject) attributes() (rotation.Status, string) {
	switch r := sub.role; {
	case r == nil:
		return rotation.Absent, "pg_roles: no such role"
	case sub.adopted() && r.retired():
		return rotation.Absent, "pg_roles: NOLOGIN and no password; it stays as the owner"
	case r.marked() && r.retired():
		return rotation.Absent, "pg_roles: NOLOGIN and no password; it stays for what depends on it"
	case !r.CanLogin:
		return rotation.Quarantined, "pg_roles: NOLOGIN"
	case sub.c.Value.Empty():
		return rotation.Accepts, "pg_roles: LOGIN"
	}
	return rotation.Unknown, ""
}

func (n *session) place(database string, status rotation.Status, proof string) []rotation.Standing {
	where := n.node.Name
	if database != "" {
		where += "/" + database
	}
	return []rotation.Standing{{Where: where, Status: status, Proof: proof}}
}
