package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// What a credential made here keeps beside its value, in [rotation.Credential.Meta].
const (
	// MetaOwner is the role that owns the application's objects, and that the login acts as. A credential that was
	// adopted has none: its owner is read from the catalogue.
	MetaOwner = "owner"
	// MetaModel is the login whose settings and connection limit the new one is given.
	MetaModel = "model"
	// MetaTaken is the name that the login would have had, were there not another role of that name already: what
	// somebody left there is never taken over.
	MetaTaken = "taken"
)

// Generate names a new login after the owner role and the version, backend_v2 for version 2 of backend, and makes a
// password for it. The owner is found from the login in use; see [Server.Owner].
// A name that some role has already is passed over: backend_v2_2, and MetaTaken says which. It reads the
// catalogue, and changes nothing. Refusals: the login in use does not exist, or the name would be too long.
func (s *Server) Generate(ctx context.Context, v rotation.Version, current rotation.Credential) (rotation.Credential, error) {
	c := rotation.Credential{V: v}
	err := s.with(ctx, func(ctx context.Context, cl *cluster) error {
		r, err := cl.primary.existing(ctx, current.ID)
		if err != nil {
			return err
		}
		if s.Strategy == Clone {
			return cl.primary.nameClone(ctx, &c, r)
		}
		owner, err := s.ownerOf(ctx, cl.primary, r)
		if err != nil {
			return err
		}
		c.Meta = map[string]string{MetaOwner: owner, MetaModel: current.ID}
		return cl.primary.name(ctx, &c, owner)
	})
	if err != nil {
		return rotation.Credential{}, fmt.Errorf("making %v of %s: %w", v, current.ID, err)
	}
	c.Value, err = rotation.NewPassword(s.Rand)
	return c, err
}

// loginName is the name of version v of owner's logins; the try-th, from 1, when others are taken.
func loginName(owner string, v rotation.Version, try int) string {
	if try > 1 {
		return fmt.Sprintf("%s_v%d_%d", owner, int(v), try)
	}
	return fmt.Sprintf("%s_v%d", owner, int(v))
}

// name gives c the first name that is free.
func (n *session) name(ctx context.Context, c *rotation.Credential, owner string) error {
	for try := 1; ; try++ {
		c.ID = loginName(owner, c.V, try)
		if err := checkName("role", c.ID); err != nil {
			return err
		}
		r, err := n.role(ctx, c.ID)
		if err != nil || r == nil {
			return err
		}
		c.Meta[MetaTaken] = loginName(owner, c.V, 1)
	}
}

func (s *Server) random() io.Reader {
	if s.Rand == nil {
		return rand.Reader
	}
	return s.Rand
}
