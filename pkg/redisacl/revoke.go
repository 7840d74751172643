package redisacl

import (
	"context"
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// Revoke turns the user off at every node, and ends its connections there: being off does not end one that is open. Its password
// stays, so that Install brings back the same. A user that does not exist is revoked already. After a crash in between, each node
// is as it was, or lets nobody in; calling again ends what is left, and saves.
//
// A user that was not made here gets the target's mark: its password may be changed by then, and it still has to go.
func (s *Server) Revoke(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	err := s.everywhere(ctx, s.may(c), func(ctx context.Context, o owners, _ seen, one at) error {
		u := one.users[c.ID]
		switch o.whose(u, c) {
		case nobodys, others:
			return f(ctx)
		case guests:
			return one.n.leaves(ctx, f, o, c)
		}
		words := []string{"ACL", "SETUSER", c.ID, "off"}
		if o.mark != "" && u.mark() == "" {
			words = append(words, "#"+o.mark)
		}
		if u.on || len(words) > 4 {
			if err := one.n.effect(ctx, f, words...); err != nil {
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
	if err := n.effect(ctx, f, "CLIENT", "KILL", "USER", name); err != nil {
		return err
	}
	left, err := n.of(ctx, name)
	if err == nil && len(left) > 0 {
		err = serverconn.Unavailable(fmt.Errorf("%d connections that were ended are still there", len(left)))
	}
	return err
}

// Erase deletes the user at every node, and has it saved, even where it is gone already: whoever came before may not have got that
// far. It is refused while the user has connections anywhere.
func (s *Server) Erase(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	err := s.everywhere(ctx, s.mayErase(c), func(ctx context.Context, o owners, _ seen, one at) error {
		var err error
		switch o.whose(one.users[c.ID], c) {
		case nobodys, others:
			err = f(ctx)
		case guests:
			err = one.n.leaves(ctx, f, o, c)
		default:
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
func (s *Server) mayErase(c rotation.Credential) func(context.Context, *fleet, seen, owners) error {
	return func(ctx context.Context, fl *fleet, all seen, o owners) error {
		if err := s.may(c)(ctx, fl, all, o); err != nil {
			return err
		}
		left, err := fl.sessionsOf(ctx, all, o, c)
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("at %s: %d connections of it are open: %w", left[0].Node, len(left), rotation.ErrNotYet)
		}
		return err
	}
}
