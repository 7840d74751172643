package redisacl

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// markBegin begins the hash that says which target has made a user. No password has such a hash that anybody could find.
var markBegin = hex.EncodeToString([]byte("kubectl-rotate--"))

// mark is the hash that users made here have beside their own; "" where Target does not say whose they are.
func (s *Server) mark() string {
	if s.Target == "" {
		return ""
	}
	id := strings.ToLower(strings.ReplaceAll(s.Target, "-", ""))
	if raw, err := hex.DecodeString(id); err != nil || len(raw) != sha256.Size/2 { // a UID is that long
		sum := sha256.Sum256([]byte(s.Target))
		id = hex.EncodeToString(sum[:sha256.Size/2])
	}
	return markBegin + id
}

// mark is that of the target which has made the user; "" where none has. Where two have at the same time, it is the first one's.
func (u *user) mark() string {
	for _, h := range u.hashes {
		if strings.HasPrefix(h, markBegin) {
			return h
		}
	}
	return ""
}

// passwords are the hashes that are of passwords.
func (u *user) passwords() []string {
	return slices.DeleteFunc(slices.Clone(u.hashes), func(h string) bool {
		return h == unfinished || h == unended || strings.HasPrefix(h, markBegin)
	})
}

// whose says to whom a user belongs, as far as a target is concerned.
type whose int

const (
	nobodys  whose = iota // there is no such user
	ours                  // this target has made the user, or has a password that the user has
	guests                // another target has made the user, and this one has added to it at the same moment
	others                // another target has made the user
	unproven              // nothing shows whose it is
)

// owners tells to whom users belong. A name proves nothing: whoever may write the record may write any name there.
type owners struct {
	mark   string
	own    []rotation.Credential
	agreed bool
}

// owners reads what the target has.
func (s *Server) owners(ctx context.Context) (o owners, err error) {
	o.mark, o.agreed = s.mark(), s.agreed(rotation.ConsentOwnership)
	if s.Own != nil {
		o.own, err = s.Own(ctx)
	}
	return o, wrap(err, "reading which users are the target's")
}

// whose looks at the user of c as one node knows it.
func (o owners) whose(u *user, c rotation.Credential) whose {
	own := append(slices.Clone(o.own), c)
	value := false
	switch {
	case u == nil:
		return nobodys
	case u.mark() != "" && u.mark() == o.mark:
		return ours
	case o.mark != "" && u.has(o.mark):
		return guests
	}
	for _, one := range own {
		if one.ID != u.name || one.Value.Empty() {
			continue
		}
		if u.has(hash(one.Value)) {
			return ours
		}
		value = true
	}
	switch {
	case u.mark() != "" && value:
		return others
	case o.agreed:
		return ours
	}
	return unproven
}

// entitled refuses to change c where a node has a user of that name and nothing shows that it is the target's.
func (o owners) entitled(all seen, c rotation.Credential) error {
	for _, one := range all {
		if o.whose(one.users[c.ID], c) == unproven {
			return rotation.Refuse(rotation.WithHint(
				fmt.Errorf("%s has a user %s with another password than the record: nothing shows that it is this target's", one.n.node.Name, c.ID),
				"if it has to go: ACL DELUSER "+c.ID+" on every node; if it is the target's, agree with --accept="+rotation.ConsentOwnership))
		}
	}
	return nil
}

// claims makes a user that may do nothing, with the mark of the target, and looks whether another target has done so in the same moment:
// the first one has it. Rules that are given add up, so that nobody gives any before.
func (n *session) claims(ctx context.Context, f rotation.Fence, o owners, c rotation.Credential) error {
	if o.mark == "" {
		return nil
	}
	if err := n.effect(ctx, f, "ACL", "SETUSER", c.ID, "#"+o.mark); err != nil {
		return err
	}
	users, err := n.users(ctx)
	if err != nil {
		return err
	}
	switch o.whose(users[c.ID], c) {
	case ours:
		return nil
	case guests:
		return errors.Join(o.refused(), n.leaves(ctx, f, o, c))
	}
	return serverconn.Unavailable(errors.New("somebody has changed the user in the meantime"))
}

// leaves takes the mark of the target from another one's user.
func (n *session) leaves(ctx context.Context, f rotation.Fence, o owners, c rotation.Credential) error {
	if err := n.effect(ctx, f, "ACL", "SETUSER", c.ID, "!"+o.mark); err != nil {
		return err
	}
	return n.saves(ctx)
}

// refused is said of a user that is another target's.
func (owners) refused() error {
	return rotation.Refuse(rotation.WithHint(errOthers, "take the rotation back and begin again: the next user gets a name that is free"))
}

var errOthers = errors.New("a user of that name is another target's")

// source are the rules that c is to have: those of c at nodes that have it, else those of the user that it was made after. Either has to be
// the target's own. What is on record is only compared with them.
func (o owners) source(all seen, c rotation.Credential) (string, error) {
	model := rotation.Credential{ID: c.Meta[MetaModel]}
	rules, err := all.where(func(u *user) bool {
		return u.name == c.ID && u.has(hash(c.Value)) && !u.has(unfinished) && o.whose(u, c) == ours
	}).rules(c.ID)
	if errors.Is(err, errNoUser) && model.ID != "" {
		rules, err = all.where(func(u *user) bool { return u.name == model.ID && o.whose(u, model) == ours }).rules(model.ID)
	}
	if errors.Is(err, errNoUser) {
		return "", rotation.Refuse(rotation.WithHint(
			fmt.Errorf("no node has %s, or %s with a password of the target: what it may do is not known", c.ID, cmp.Or(model.ID, "its model")),
			"make "+c.ID+" yourself with the rules that it had: ACL SETUSER"))
	}
	if onRecord, ok := c.Meta[MetaRules]; err == nil && ok && canonical(split(onRecord)) != canonical(split(rules)) {
		return "", rotation.Refuse(rotation.WithHint(
			fmt.Errorf("the rules on record for %s are not those of %s: %q", c.ID, cmp.Or(model.ID, c.ID), onRecord),
			"take the rotation back and begin again: the next user gets the rules of then"))
	}
	return rules, err
}

// where is all with no other users than those that fit.
func (all seen) where(fits func(*user) bool) (some seen) {
	for _, one := range all {
		users := map[string]*user{}
		for name, u := range one.users {
			if fits(u) {
				users[name] = u
			}
		}
		some = append(some, at{one.n, users})
	}
	return some
}
