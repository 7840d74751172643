package redisacl

import (
	"context"
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Revoke turns the user off at every node, and ends its connections there: being off does not end one that is open. Its password
// stays, so that Install brings back the same. A user that does not exist is revoked already. After a crash in between, each node
// is as it was, or lets nobody in; calling again ends what is left, and saves.
func (s *Server) Revoke(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	err := s.everywhere(ctx, s.may(c), func(ctx context.Context, _ seen, one at) error {
		u := one.users[c.ID]
		if u == nil {
			return f(ctx)
		}
		if u.on {
			if err := one.n.effect(ctx, f, "ACL", "SETUSER", c.ID, "off"); err != nil {
				return err
			}
		}
		if err := one.n.end(ctx, f, c.ID); err != nil {
			return err
		}
		return one.n.saves(ctx)
	})
	return wrap(err, "revoking %s", c.ID)
}

// end ends the connections of a user. They are gone when the server has said so; what is left all the same is an error that may pass.
func (n *session) end(ctx context.Context, f rotation.Fence, name string) error {
	left, err := n.of(ctx, name)
	if err != nil || len(left) == 0 {
		return err
	}
	if err := n.effect(ctx, f, "CLIENT", "KILL", "USER", name); err != nil {
		return err
	}
	if left, err = n.of(ctx, name); err == nil && len(left) > 0 {
		err = unavailable{fmt.Errorf("%d connections that were ended are still there", len(left))}
	}
	return err
}

// Erase deletes the user at every node, and has it saved, even where it is gone already: whoever came before may not have got that
// far. It is refused while the user has connections anywhere.
func (s *Server) Erase(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	err := s.everywhere(ctx, s.mayErase(c), func(ctx context.Context, _ seen, one at) error {
		var err error
		if one.users[c.ID] == nil {
			err = f(ctx)
		} else {
			err = one.n.effect(ctx, f, "ACL", "DELUSER", c.ID)
		}
		if err != nil {
			return err
		}
		return one.n.saves(ctx)
	})
	return wrap(err, "erasing %s", c.ID)
}

// mayErase wants nobody to be connected: DELUSER would end him without a word.
func (s *Server) mayErase(c rotation.Credential) func(context.Context, *fleet) error {
	return func(ctx context.Context, fl *fleet) error {
		if err := s.mayChange(c); err != nil {
			return err
		}
		return fl.each(func(_ int, n *session) error {
			left, err := n.of(ctx, c.ID)
			if err == nil && len(left) > 0 {
				err = fmt.Errorf("%d connections of it are open: %w", len(left), rotation.ErrNotYet)
			}
			return err
		})
	}
}
