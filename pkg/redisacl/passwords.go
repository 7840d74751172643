package redisacl

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// twoPasswords is what MetaStrategy says.
const twoPasswords = "two-passwords"

// Keeps says whether a version was made by [TwoPasswords].
func Keeps(c rotation.Credential) bool { return c.Meta[MetaStrategy] == twoPasswords }

// TwoPasswords is a Server whose user stays, with the old password and the new one side by side: for the user default, and for
// clients that send no user name. It is a [rotation.Shared].
type TwoPasswords struct {
	*Server
	// End has Revoke end all connections of the user, since it cannot tell which were opened with the old password. Clients
	// come back with what they hold.
	End bool
}

var _ rotation.Shared = TwoPasswords{}

// Untold says what one user with two passwords hides.
func (s TwoPasswords) Untold() string {
	text := "one user has both passwords, and Redis does not show with which of them a connection was opened: that nobody uses the old " +
		"one rests on the rollout alone"
	if s.End {
		return text + "; all its connections are ended when the old password goes"
	}
	return text + ", and a connection that is open stays when the old password goes"
}

// Left says what may still be there of a password that is gone.
func (s TwoPasswords) Left() string {
	if s.End {
		return ""
	}
	return "connections opened with the old password may still be there"
}

// Generate makes a new password for the user in use.
func (s TwoPasswords) Generate(ctx context.Context, v rotation.Version, current rotation.Credential) (rotation.Credential, error) {
	c := rotation.Credential{V: v, ID: current.ID, Meta: map[string]string{MetaStrategy: twoPasswords}}
	err := s.with(ctx, func(ctx context.Context, fl *fleet) error {
		all, err := fl.users(ctx)
		if err == nil && !all.any(current.ID) {
			err = fmt.Errorf("no node has a user %q", current.ID)
		}
		return err
	})
	if err != nil {
		return rotation.Credential{}, fmt.Errorf("making %v of %s: %w", v, current.ID, err)
	}
	c.Value, err = rotation.NewPassword(s.Rand)
	return c, err
}

// Standing is how each node treats c: it has c's password, and lets it in, or it does not have it.
func (s TwoPasswords) Standing(ctx context.Context, c rotation.Credential) ([]rotation.Standing, error) {
	s.remember(c)
	return s.standing(ctx, c, func(_ owners, u *user) (rotation.Status, string) {
		switch {
		case u == nil:
			return rotation.Altered, "ACL LIST: no such user"
		case u.nopass:
			return rotation.Altered, "ACL LIST: nopass, any password is let in"
		case !u.has(hash(c.Value)) && u.has(unended):
			return rotation.Altered, "ACL LIST: it does not have this password, and connections that were opened with it are not ended yet"
		case !u.has(hash(c.Value)):
			return rotation.Absent, "ACL LIST: it does not have this password"
		case !u.on:
			return rotation.Altered, "ACL LIST: off"
		}
		return u.saved()
	}, false)
}

// InUse is not known: a connection does not show which password it was opened with.
func (s TwoPasswords) InUse(context.Context, rotation.Credential) (rotation.Usage, error) {
	return rotation.Usage{}, nil
}

// Install gives the user c's password beside those that it has.
func (s TwoPasswords) Install(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	s.remember(c)
	err := s.everywhere(ctx, entitled(c), func(ctx context.Context, _ owners, _ seen, one at) error {
		words, err := adding(one.users[c.ID], c)
		if err != nil || words == nil {
			return err
		}
		return one.n.set(ctx, f, c.ID, words, func(context.Context) error { return nil })
	})
	return wrap(err, "installing %v of %s", c.V, c.ID)
}

// entitled wants a user to have a password of the target's before it gets another one.
func entitled(c rotation.Credential) func(context.Context, *fleet, seen, owners) error {
	return func(_ context.Context, _ *fleet, all seen, o owners) error { return o.entitled(all, c) }
}

// adding is what gives a user one more password; nil where it has it.
func adding(u *user, c rotation.Credential) ([]string, error) {
	switch {
	case c.Value.Empty():
		return nil, errNoValue
	case u == nil:
		return nil, rotation.WithHint(fmt.Errorf("there is no user %q", c.ID), "make it, as the other nodes have it, before you go on")
	case u.nopass:
		return nil, errNopass(c.ID)
	case u.on && u.has(hash(c.Value)) && !u.has(unfinished):
		return nil, nil
	}
	return []string{"on", "#" + hash(c.Value)}, nil
}

// Revoke takes c's password from the user. It is refused where that is the only one. Where connections are to be ended, the user has the hash
// unended until they are: whoever comes after a crash sees that they still have to be.
func (s TwoPasswords) Revoke(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	err := s.everywhere(ctx, always, func(ctx context.Context, _ owners, _ seen, one at) error {
		var until []string
		if s.End {
			until = []string{"#" + unended}
		}
		if err := s.take(ctx, f, one, c, until...); err != nil {
			return err
		}
		if err := s.ended(ctx, f, one, c); err != nil {
			return err
		}
		return one.n.saves(ctx)
	})
	return wrap(err, "revoking %v of %s", c.V, c.ID)
}

// ended ends the connections of a user from which a password was taken just now.
func (s TwoPasswords) ended(ctx context.Context, f rotation.Fence, one at, c rotation.Credential) error {
	u := one.users[c.ID]
	if u == nil || !u.has(unended) && (!s.End || c.Value.Empty() || !u.has(hash(c.Value))) {
		return nil
	}
	if err := one.n.effect(ctx, f, "CLIENT", "KILL", "USER", c.ID, "SKIPME", "yes"); err != nil {
		return err
	}
	return one.n.effect(ctx, f, "ACL", "SETUSER", c.ID, "!"+unended)
}

// Erase makes sure that c's password is gone, and that this is saved. The user stays.
func (s TwoPasswords) Erase(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	err := s.everywhere(ctx, always, func(ctx context.Context, _ owners, _ seen, one at) error {
		if err := s.take(ctx, f, one, c); err != nil {
			return err
		}
		return one.n.saves(ctx)
	})
	return wrap(err, "erasing %v of %s", c.V, c.ID)
}

// always is an effect that may be made whatever else is so: it takes nothing from a user but a password that the target has.
func always(context.Context, *fleet, seen, owners) error { return nil }

// take takes c's password from the user at one node, and gives it other words in the same command.
func (s TwoPasswords) take(ctx context.Context, f rotation.Fence, one at, c rotation.Credential, words ...string) error {
	u := one.users[c.ID]
	if c.Value.Empty() || u == nil || !u.has(hash(c.Value)) {
		return f(ctx)
	}
	if len(slices.DeleteFunc(u.passwords(), func(h string) bool { return h == hash(c.Value) })) == 0 {
		if err := f(ctx); err != nil {
			return err
		}
		return rotation.Refuse(rotation.WithHint(fmt.Errorf("%s has no other password than this", c.ID), "install the other version first"))
	}
	return one.n.effect(ctx, f, append([]string{"ACL", "SETUSER", c.ID, "!" + hash(c.Value)}, words...)...)
}

// Plan is the commands that an effect on c would run.
func (s TwoPasswords) Plan(ctx context.Context, e rotation.Effect, c rotation.Credential) ([]string, error) {
	s.remember(c)
	return s.plan(ctx, e, c, func(_ owners, _ seen, one at) ([]string, error) {
		u := one.users[c.ID]
		if e == rotation.EffectInstall {
			words, err := adding(u, c)
			return setting(c.ID, words), err
		}
		if u == nil || !u.has(hash(c.Value)) {
			return nil, nil
		}
		return []string{fmt.Sprintf("ACL SETUSER %s !%s", c.ID, rotation.Redacted)}, nil
	})
}

// remember keeps in mind a password that the administrator may come in with, where that is the very user whose password changes.
func (s TwoPasswords) remember(c rotation.Credential) {
	if c.ID != s.admin() || c.Value.Empty() {
		return
	}
	s.turns.Between(func() {
		if !slices.ContainsFunc(s.known, c.Value.Equal) {
			s.known = append(s.known, c.Value)
		}
	})
}
