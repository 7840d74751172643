package redisacl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

var errNoValue = errors.New("its value is not on record")

// Install makes every node accept c: it creates the user with its rules, or gives back what it lacks, or lifts a quarantine; then it
// looks whether the user came out as it was meant to, and has the node save it.
func (s *Server) Install(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	err := s.everywhere(ctx, s.may(c), func(ctx context.Context, all seen, one at) error {
		words, err := s.installing(all, one, c)
		if err != nil || words == nil {
			return err
		}
		return one.n.set(ctx, f, c.ID, words, func(ctx context.Context) error { return s.installed(ctx, all, one.n, c) })
	})
	return wrap(err, "installing %s", c.ID)
}

// installing is what a node has to be told for it to accept c; nil where it does already.
func (s *Server) installing(all seen, one at, c rotation.Credential) ([]string, error) {
	if c.Value.Empty() {
		return nil, errNoValue
	}
	if err := s.mayChange(c); err != nil {
		return nil, err
	}
	u := one.users[c.ID]
	if u != nil && u.on && !u.nopass && u.has(hash(c.Value)) && !u.has(unfinished) {
		return nil, nil
	}
	if u != nil && (c.Meta[MetaModel] == "" || u.has(hash(c.Value))) {
		return []string{"on", "#" + hash(c.Value)}, nil
	}
	rules, err := all.meant(c)
	if err != nil {
		return nil, err
	}
	words := slices.Concat(split(rules), []string{"on", "#" + hash(c.Value)})
	if u == nil {
		return words, nil // reset would not leave him as one who is new
	}
	return append([]string{"reset"}, words...), nil
}

// meant is what c is to be allowed: what it was made for, or what other nodes say of a user that was not made here.
func (all seen) meant(c rotation.Credential) (string, error) {
	if rules, ok := c.Meta[MetaRules]; ok {
		return rules, nil
	}
	return all.rules(c.ID)
}

// installed compares the user with what was asked for: the rules word for word, and, where the server can say so, what it would let
// both users do.
func (s *Server) installed(ctx context.Context, all seen, n *session, c rotation.Credential) error {
	users, err := n.users(ctx)
	if err != nil {
		return err
	}
	u := users[c.ID]
	if u == nil || !u.on || !u.has(hash(c.Value)) {
		return unavailable{errors.New("somebody has changed the user in the meantime")}
	}
	if c.Meta[MetaModel] == "" {
		return nil
	}
	if rules, err := all.meant(c); err != nil || u.can() != canonical(split(rules)) {
		return errors.Join(err, fmt.Errorf("it was to be allowed %q, and is allowed %q", rules, u.text()))
	}
	if users[c.Meta[MetaModel]] == nil || users[c.Meta[MetaModel]].can() != u.can() {
		return nil // its rules have changed since
	}
	return n.alike(ctx, c.Meta[MetaModel], c.ID, u)
}

// representative are commands of every sort, for a dry run. %k and %c are a key and a channel that the rules speak of.
var representative = [][]string{
	{"PING"}, {"GET", "%k"}, {"SET", "%k", "value"}, {"DEL", "%k"}, {"EXPIRE", "%k", "1"}, {"HGETALL", "%k"}, {"LPUSH", "%k", "value"},
	{"XADD", "%k", "*", "field", "value"}, {"SUBSCRIBE", "%c"}, {"PSUBSCRIBE", "%c"}, {"PUBLISH", "%c", "message"},
	{"GET", "elsewhere"}, {"SUBSCRIBE", "elsewhere"}, {"EVAL", "return 1", "0"}, {"KEYS", "*"}, {"FLUSHALL"}, {"CONFIG", "GET", "maxmemory"},
	{"ACL", "LIST"},
}

// alike has the server say of each representative command whether either user may run it, and wants one answer.
func (n *session) alike(ctx context.Context, model, name string, u *user) error {
	if n.version() < 7000 {
		return nil
	}
	fill := strings.NewReplacer("%k", u.sample("~", "%"), "%c", u.sample("&"))
	var dry [][]string
	for _, args := range representative {
		for _, who := range []string{model, name} {
			words := []string{"ACL", "DRYRUN", who}
			for _, a := range args {
				words = append(words, fill.Replace(a))
			}
			dry = append(dry, words)
		}
	}
	answers, err := n.batch(ctx, dry)
	if err != nil {
		return err
	}
	for i, args := range representative {
		was, is := strings.ReplaceAll(answers[2*i], model, "it"), strings.ReplaceAll(answers[2*i+1], name, "it")
		if was != is {
			return fmt.Errorf("%s is not what %s is: at %s it is told %q, the other %q", name, model, args[0], is, was)
		}
	}
	return nil
}

// sample is a name that the first rule of a sort lets through, with x for what may be anything.
func (u *user) sample(signs ...string) string {
	for _, rule := range u.rules {
		for _, sign := range signs {
			if strings.HasPrefix(rule, sign) {
				_, pattern, _ := strings.Cut(rule, "~")
				if sign == "&" {
					pattern = rule[1:]
				}
				return strings.NewReplacer("*", "x", "?", "x").Replace(pattern)
			}
		}
	}
	return "x"
}

// may is mayChange for an effect.
func (s *Server) may(c rotation.Credential) func(context.Context, *fleet) error {
	return func(context.Context, *fleet) error { return s.mayChange(c) }
}

// mayChange refuses what would lock everybody out.
func (s *Server) mayChange(c rotation.Credential) error {
	switch c.ID {
	case Default:
		return rotation.Refuse(rotation.WithHint(
			errors.New("the user default cannot be left behind: who sends no user name is that one"),
			"let its Secret have no key for the user name; then its password is rotated"))
	case s.admin():
		return rotation.Refuse(rotation.WithHint(fmt.Errorf("%q is the administrator itself", c.ID), "use another user as the administrator"))
	}
	return nil
}
