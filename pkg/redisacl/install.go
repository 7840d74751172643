package redisacl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

var errNoValue = errors.New("its value is not on record")

// Install makes every node accept c: it creates the user with its rules, or gives back what it lacks, or lifts a quarantine; then it
// looks whether the user came out as it was meant to, and has the node save it. A user that is not the target's is left as it is.
func (s *Server) Install(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	err := s.everywhere(ctx, s.may(c), func(ctx context.Context, o owners, all seen, one at) error {
		words, rules, err := o.installing(all, one, c)
		if err != nil || words == nil {
			return err
		}
		if one.users[c.ID] == nil {
			if err := one.n.claims(ctx, f, o, c); err != nil {
				return err
			}
		}
		return one.n.set(ctx, f, c.ID, words, func(ctx context.Context) error { return one.n.installed(ctx, c, rules) })
	})
	return wrap(err, "installing %s", c.ID)
}

// installing is what a node has to be told for it to accept c, nil where it does already; and the rules that c has then to have, "" where
// those are left as they are.
func (o owners) installing(all seen, one at, c rotation.Credential) (words []string, rules string, err error) {
	if c.Value.Empty() {
		return nil, "", errNoValue
	}
	u := one.users[c.ID]
	if w := o.whose(u, c); w == others || w == guests {
		return nil, "", o.refused()
	}
	on := []string{"on", "#" + hash(c.Value)}
	switch {
	case u != nil && u.on && !u.nopass && u.has(hash(c.Value)) && !u.has(unfinished):
		return nil, "", nil
	case u != nil && (c.Meta[MetaModel] == "" || u.has(hash(c.Value)) && !u.has(unfinished)):
		return on, "", nil
	}
	if rules, err = o.source(all, c); err != nil {
		return nil, "", err
	}
	if u != nil && u.has(hash(c.Value)) {
		return on, rules, nil // whoever came before was ended in between
	}
	words = slices.Concat(split(rules), on)
	if o.mark != "" {
		words = append(words, "#"+o.mark)
	}
	if u == nil {
		return words, rules, nil // reset would not leave him as one who is new
	}
	return append([]string{"reset"}, words...), rules, nil
}

// installed compares the user with what was asked for: the rules word for word, and, where the server can say so, what it would let
// both users do.
func (n *session) installed(ctx context.Context, c rotation.Credential, rules string) error {
	users, err := n.users(ctx)
	if err != nil {
		return err
	}
	u := users[c.ID]
	if u == nil || !u.on || !u.has(hash(c.Value)) {
		return serverconn.Unavailable(errors.New("somebody has changed the user in the meantime"))
	}
	if rules == "" {
		return nil
	}
	if u.can() != canonical(split(rules)) {
		return fmt.Errorf("it was to be allowed %q, and is allowed %q", rules, u.text())
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

// may is what every effect on c takes: that nobody is locked out, and that c is the target's.
func (s *Server) may(c rotation.Credential) func(context.Context, *fleet, seen, owners) error {
	return func(_ context.Context, _ *fleet, all seen, o owners) error {
		if err := s.mayChange(c); err != nil {
			return err
		}
		return o.entitled(all, c)
	}
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
