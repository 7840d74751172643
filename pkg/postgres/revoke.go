package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// goodbye is how long revoke waits for sessions that it has ended to be gone.
const goodbye = 10 * time.Second

// Revoke takes LOGIN from c.ID, then ends its sessions on every node and waits until they are gone. Its password stays
// stored, so that Install brings back the same. A role that does not exist is revoked already. After a crash in between, the
// role is either as it was or cannot log in; calling again ends what is left.
func (s *Server) Revoke(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	err := s.with(ctx, func(ctx context.Context, cl *cluster) error {
		n := cl.primary
		err := s.change(ctx, n, f, func(ctx context.Context) (func(context.Context) error, error) {
			sub, err := s.subject(ctx, n, c)
			if err == nil {
				err = s.mayChange(ctx, n, sub)
			}
			return n.statements(sub.revoking()), err
		})
		if err != nil {
			return err
		}
		return s.endSessions(ctx, cl, f, c.ID)
	})
	return wrap(err, "revoking %s", c.ID)
}

// revoking is what keeps a login out.
func (sub subject) revoking() []statement {
	if sub.role == nil || !sub.role.CanLogin {
		return nil
	}
	return []statement{{sql: fmt.Sprintf("ALTER ROLE %s NOLOGIN", ident(sub.role.Name))}}
}

// terminateAll ends all sessions of a login; terminate does so where it may not log in any more.
const (
	terminateAll = `
	SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a JOIN pg_roles r ON r.oid = a.usesysid
	WHERE r.rolname = $1 AND a.pid <> pg_backend_pid()`
	terminate = terminateAll + ` AND NOT r.rolcanlogin`
)

// endSessions ends what a login that was revoked has left, on every node and whether or not any session was seen. It is an
// effect of its own, since NOLOGIN has to be committed first; if somebody has given LOGIN back since, terminate finds nobody.
// Standbys have to know of NOLOGIN before, or a client would just come again; where none was seen it is not waited for that, since who
// comes later is counted again once they do.
func (s *Server) endSessions(ctx context.Context, cl *cluster, f rotation.Fence, login string) error {
	left, err := cl.sessions(ctx, login)
	if err == nil && len(left) > 0 {
		err = cl.caughtUp(ctx, s.replayWait())
	}
	if err != nil {
		return err
	}
	if err := s.ending(ctx, cl, f, terminate, login); err != nil {
		return err
	}
	if err := cl.emptied(ctx, login); err != nil {
		return err
	}
	return cl.whole()
}

// ending has sessions of a login ended on every node.
func (s *Server) ending(ctx context.Context, cl *cluster, f rotation.Fence, how, login string) error {
	return s.change(ctx, cl.primary, f, func(context.Context) (func(context.Context) error, error) {
		return func(ctx context.Context) error { return cl.terminate(ctx, how, login) }, nil
	})
}

// emptied waits until a revoked login has no session left.
func (c *cluster) emptied(ctx context.Context, login string) error {
	var left []rotation.Session
	gone, err := until(ctx, goodbye, func(ctx context.Context) (bool, error) {
		r, err := c.primary.role(ctx, login)
		if err == nil && r != nil && r.CanLogin {
			err = serverconn.Unavailable(errors.New("somebody has let it in again in the meantime"))
		}
		if err != nil {
			return false, err
		}
		left, err = c.sessions(ctx, login)
		return len(left) == 0, err
	})
	if err == nil && !gone {
		err = serverconn.Unavailable(fmt.Errorf("sessions that were ended are still there: %s", describe(left)))
	}
	return err
}

func (c *cluster) terminate(ctx context.Context, how, login string) error {
	for _, n := range c.nodes() {
		if err := n.exec(ctx, how, login); err != nil {
			err = wrap(err, "ending the sessions of %s on %s", login, n.node.Name)
			return grantHint(err, fmt.Sprintf("GRANT pg_signal_backend TO %s", ident(n.user)))
		}
	}
	return nil
}

// caughtUp waits until every standby has replayed what the primary has done up to now.
func (c *cluster) caughtUp(ctx context.Context, patience time.Duration) error {
	if len(c.standbys) == 0 {
		return nil
	}
	at, err := c.primary.position(ctx)
	if err != nil {
		return err
	}
	for _, n := range c.standbys {
		done, err := n.replayed(ctx, at, patience)
		if err == nil && !done {
			err = serverconn.Unavailable(fmt.Errorf("standby %s has not replayed the change yet", n.node.Name))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// grantHint names the grant that is missing, where that is the trouble.
func grantHint(err error, grant string) error {
	if code(err) == codeNoPrivilege {
		return rotation.WithHint(err, grant)
	}
	return err
}
