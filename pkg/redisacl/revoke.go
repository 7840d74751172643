package redisacl

import (
	"context"
	"fmt"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// goodbye is how long revoke waits for connections that it has ended to be gone.
const goodbye = 10 * time.Second

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

// end ends the connections of a user, and waits until they are gone.
func (n *session) end(ctx context.Context, f rotation.Fence, name string) error {
	left, err := n.of(ctx, name)
	if err != nil || len(left) == 0 {
		return err
	}
	if err := n.effect(ctx, f, "CLIENT", "KILL", "USER", name); err != nil {
		return err
	}
	gone, err := until(ctx, goodbye, func(ctx context.Context) (bool, error) {
		left, err = n.of(ctx, name)
		return len(left) == 0, err
	})
	if err == nil && !gone {
		err = unavailable{fmt.Errorf("%d connections that were ended are still there", len(left))}
	}
	return err
}

// glance is the rest between two looks at something that is about to change.
const glance = 20 * time.Millisecond

// until looks again and again until ok, an error, or the end of patience; the last two give false.
func until(ctx context.Context, patience time.Duration, ok func(context.Context) (bool, error)) (bool, error) {
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(glance)
	defer tick.Stop()
	for {
		if done, err := ok(ctx); done || err != nil {
			return done, err
		}
		select {
		case <-ctx.Done():
			return false, unavailable{ctx.Err()}
		case <-end.C:
			return false, nil
		case <-tick.C:
		}
	}
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
