package redisacl

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// InUse is every connection of the user c.ID, on every node, subscriptions among them, whatever a connection calls itself. A node that
// cannot be reached is silent: nobody knows who is connected there.
func (s *Server) InUse(ctx context.Context, c rotation.Credential) (rotation.Usage, error) {
	usage := rotation.Usage{Known: true}
	err := s.with(ctx, func(ctx context.Context, fl *fleet) (err error) {
		o, err := s.owners(ctx)
		if err != nil {
			return err
		}
		all, err := fl.users(ctx)
		if err != nil {
			return err
		}
		usage.Sessions, err = fl.sessionsOf(ctx, all, o, c)
		usage.Silent = fl.silent()
		return err
	})
	if err != nil {
		return rotation.Usage{}, fmt.Errorf("connections of %s: %w", c.ID, err)
	}
	return usage, nil
}

// sessionsOf are those of c where it is not another target's user.
func (f *fleet) sessionsOf(ctx context.Context, all seen, o owners, c rotation.Credential) ([]rotation.Session, error) {
	foreign := map[string]bool{}
	for _, one := range all {
		w := o.whose(one.users[c.ID], c)
		foreign[one.n.node.Name] = w == others || w == guests
	}
	found, err := f.sessions(ctx, c.ID)
	return slices.DeleteFunc(found, func(s rotation.Session) bool { return foreign[s.Node] }), err
}

// sessions are all of one user's, on the nodes that were reached.
func (f *fleet) sessions(ctx context.Context, name string) (all []rotation.Session, err error) {
	found, err := ask(ctx, f, func(ctx context.Context, n *session) ([]client, error) { return n.of(ctx, name) })
	for _, one := range found {
		for _, c := range one.of {
			all = append(all, c.session(one.n.node.Name))
		}
	}
	return all, err
}
