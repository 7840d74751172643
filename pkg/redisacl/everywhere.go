package redisacl

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// seen is the users of every node that was reached, in the order of the fleet.
type seen []at

type at struct {
	n     *session
	users map[string]*user
}

func (f *fleet) users(ctx context.Context) (all seen, err error) {
	found, err := ask(ctx, f, func(ctx context.Context, n *session) (map[string]*user, error) { return n.users(ctx) })
	for _, one := range found {
		all = append(all, at{one.n, one.of})
	}
	if err == nil && len(all) == 0 {
		err = f.whole()
	}
	return all, err
}

// any says whether a node knows a user.
func (all seen) any(name string) bool {
	for _, one := range all {
		if one.users[name] != nil {
			return true
		}
	}
	return false
}

var errNoUser = errors.New("no node has a user")

// rules are what a user may do. Nodes that know him and do not agree on it are an error: one of them would be made to change.
func (all seen) rules(name string) (rules string, err error) {
	var first *at
	for _, one := range all {
		u := one.users[name]
		switch {
		case u == nil:
		case first == nil:
			first, rules = &one, u.text()
		case u.can() != first.users[name].can():
			return "", rotation.Refuse(rotation.WithHint(
				fmt.Errorf("%s may do one thing at %s (%s) and another at %s (%s)", name, first.n.node.Name, rules, one.n.node.Name, u.text()),
				"make the rules the same on every node, with ACL SETUSER"))
		}
	}
	if first == nil {
		return "", fmt.Errorf("%w %q", errNoUser, name)
	}
	return rules, nil
}

// everywhere makes an effect at each node that can be reached, at all at once, if it may be made at all; then it says which nodes could
// not be reached: one that is away does not keep the others from being told.
func (s *Server) everywhere(ctx context.Context, may func(context.Context, *fleet, seen, owners) error, do func(context.Context, owners, seen, at) error) error {
	return s.with(ctx, func(ctx context.Context, fl *fleet) error {
		o, err := s.owners(ctx)
		if err != nil {
			return err
		}
		all, err := fl.users(ctx)
		if err != nil {
			return err
		}
		if err := may(ctx, fl, all, o); err != nil {
			return err
		}
		errs := make([]error, len(all))
		atOnce(len(all), func(i int) { errs[i] = wrap(do(ctx, o, all, all[i]), "at %s", all[i].n.node.Name) })
		return errors.Join(append(errs, fl.whole())...)
	})
}

// effect runs a command right after its fence, within the time that a look at the record is good for.
func (n *session) effect(ctx context.Context, f rotation.Fence, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, stall)
	defer cancel()
	if err := f(ctx); err != nil {
		return err
	}
	return n.run(ctx, args...)
}

// set changes a user, has look see what came of it, and saves it. Until all of that is done he has the hash unfinished too, so that
// whoever comes after a crash sees that it still has to be.
func (n *session) set(ctx context.Context, f rotation.Fence, name string, words []string, look func(context.Context) error) error {
	for _, do := range []func(context.Context) error{
		func(ctx context.Context) error {
			return n.effect(ctx, f, slices.Concat([]string{"ACL", "SETUSER", name}, words, []string{"#" + unfinished})...)
		},
		look,
		n.saves,
		func(ctx context.Context) error { return n.effect(ctx, f, "ACL", "SETUSER", name, "!"+unfinished) },
		n.saves,
	} {
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}
