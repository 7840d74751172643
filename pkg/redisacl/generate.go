package redisacl

import (
	"context"
	"fmt"
	"regexp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// What a credential made here keeps beside its value, in [rotation.Credential.Meta].
const (
	// MetaRules is what the user may do, as ACL LIST has it: what a node is told that has never seen the user.
	MetaRules = "rules"
	// MetaModel is the user whose rules they are.
	MetaModel = "model"
	// MetaStrategy is set on versions of [TwoPasswords].
	MetaStrategy = "strategy"
	// MetaTaken is the name that the user would have had, were there not another one of that name already.
	MetaTaken = "taken"
)

// numbered is a name that a rotation has given.
var numbered = regexp.MustCompile(`^(.+?)_v\d+(?:_\d+)?$`)

// Generate makes a new user with the rules of the one in use: backend_v2 after backend, backend_v3 after backend_v2. It looks at
// every node for a name that is free, and at what the rules are.
func (s *Server) Generate(ctx context.Context, v rotation.Version, current rotation.Credential) (rotation.Credential, error) {
	c := rotation.Credential{V: v, Meta: map[string]string{MetaModel: current.ID}}
	err := s.with(ctx, func(ctx context.Context, fl *fleet) error {
		all, err := fl.users(ctx)
		if err != nil {
			return err
		}
		if c.Meta[MetaRules], err = all.rules(current.ID); err != nil {
			return err
		}
		for try := 1; c.ID == "" || all.any(c.ID); try++ {
			if try == 2 {
				c.Meta[MetaTaken] = c.ID
			}
			c.ID = nameOf(current.ID, v, try)
		}
		if s.Leaked {
			return nil // a node that is away holds nothing up but the end
		}
		return fl.whole()
	})
	if err != nil {
		return rotation.Credential{}, fmt.Errorf("making %v of %s: %w", v, current.ID, err)
	}
	c.Value, err = rotation.NewPassword(s.Rand)
	return c, err
}

// nameOf is the name of version v of a user; the try-th, from 1, when others are taken.
func nameOf(current string, v rotation.Version, try int) string {
	if m := numbered.FindStringSubmatch(current); m != nil {
		current = m[1]
	}
	name := fmt.Sprintf("%s_v%d", current, int(v))
	if try > 1 {
		name += fmt.Sprintf("_%d", try)
	}
	return name
}
