package redisacl

import (
	"context"
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// InUse is every connection of the user c.ID, on every node, subscriptions among them. Connections made here to try the login are
// left out. A node that cannot be reached is silent: nobody knows who is connected there.
func (s *Server) InUse(ctx context.Context, c rotation.Credential) (rotation.Usage, error) {
	usage := rotation.Usage{Known: true}
	err := s.with(ctx, func(ctx context.Context, fl *fleet) error {
		usage.Silent = fl.silent()
		var err error
		usage.Sessions, err = fl.sessions(ctx, c.ID)
		return err
	})
	if err != nil {
		return rotation.Usage{}, fmt.Errorf("connections of %s: %w", c.ID, err)
	}
	return usage, nil
}

// sessions are all of one user's, on the nodes that were reached.
func (f *fleet) sessions(ctx context.Context, name string) (all []rotation.Session, err error) {
	found := make([][]client, len(f.up))
	err = f.each(func(i int, n *session) (err error) {
		found[i], err = n.of(ctx, name)
		return err
	})
	for i, of := range found {
		for _, c := range of {
			all = append(all, c.session(f.up[i].node.Name))
		}
	}
	return all, err
}
