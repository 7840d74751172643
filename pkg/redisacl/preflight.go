package redisacl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// ConsentVolatile is the kind of consent that it takes to change users which their node loses at a restart.
const ConsentVolatile = "volatile"

// Preflight looks for whatever would keep a rotation away from current, the credential in use, from its end. It changes nothing. A
// refusal is the first obstacle met, with what to do about it as its hint; notes are what an operator should know, and items what he
// has to agree to.
//
// Where the value in use has leaked, only what no rotation can do without is refused: that a node is reached, that the administrator may
// act, and that the user can be left behind. All else are notes.
func (s *Server) Preflight(ctx context.Context, current rotation.Credential) (notes []string, asks []rotation.Item, err error) {
	return s.preflight(ctx, current, func(p *preflight) []look {
		return []look{p.exists, p.leaves, p.agree, p.mayAct, p.links, p.keeps}
	})
}

// Preflight is [Server.Preflight] for a user that stays.
func (s TwoPasswords) Preflight(ctx context.Context, current rotation.Credential) (notes []string, asks []rotation.Item, err error) {
	s.remember(current)
	return s.preflight(ctx, current, func(p *preflight) []look {
		return []look{p.exists, p.mayAct, p.links, p.auths, p.requirepass, p.keeps}
	})
}

// look is one thing that a preflight looks for.
type look func(context.Context, rotation.Credential) error

// preflight is what its looks have gathered so far.
type preflight struct {
	s     *Server
	fl    *fleet
	all   seen
	notes []string
	asks  []rotation.Item
}

func (s *Server) preflight(ctx context.Context, current rotation.Credential, looks func(*preflight) []look) ([]string, []rotation.Item, error) {
	p := &preflight{s: s}
	err := s.with(ctx, func(ctx context.Context, fl *fleet) (err error) {
		p.fl = fl
		if err := p.there(); err != nil {
			return err
		}
		if p.all, err = fl.users(ctx); err != nil {
			return err
		}
		for _, look := range looks(p) {
			if err := p.urgently(look(ctx, current)); err != nil {
				return err
			}
		}
		return nil
	})
	return p.notes, p.asks, wrap(err, "before rotating %s", current.ID)
}

// there wants every node to be there. One that is none of ours is asked about.
func (p *preflight) there() error {
	var away []error
	for _, d := range p.fl.down {
		if !d.unknown {
			away = append(away, d.err)
			continue
		}
		p.question(rotation.Item{Name: d.name, Consent: rotation.ConsentUnknownNode, Phase: rotation.Doubtful, Note: d.err.Error()})
	}
	if err := errors.Join(away...); err != nil {
		return p.urgently(rotation.Refuse(rotation.WithHint(fmt.Errorf("users have to be made at every node: %w", err),
			cmp.Or(rotation.Hint(err), "begin when all nodes are there"))))
	}
	return nil
}

// urgently makes a note of what would be refused, where the value in use has leaked and the rotation can do without.
func (p *preflight) urgently(err error) error {
	if !p.s.Leaked || !errors.Is(err, rotation.ErrRefused) || errors.Is(err, errCannot) {
		return err
	}
	p.note("%v", err)
	return nil
}

// errCannot is a refusal of what no rotation can do without.
var errCannot = errors.New("a rotation cannot do without this")

// cannot is such a refusal, whose text stays as it is.
type cannot struct{ error }

func (c cannot) Unwrap() []error { return []error{c.error, errCannot} }

// question is what the operator has to agree to. The answer to a leak waits for no answer: it is a note.
func (p *preflight) question(i rotation.Item) {
	if p.s.Leaked && i.Consent != rotation.ConsentOwnership {
		p.note("%s: %s", i.Name, i.Note)
		return
	}
	p.asks = append(p.asks, i)
}

func (p *preflight) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

func errNopass(name string) error {
	return rotation.Refuse(rotation.WithHint(
		fmt.Errorf("%s comes in with any password (nopass): a new one would keep nobody out", name),
		fmt.Sprintf("give it the password that the application uses: ACL SETUSER %s resetpass #HASH", name)))
}

// exists wants every node to know the user, and to accept what the Secret holds.
func (p *preflight) exists(ctx context.Context, current rotation.Credential) error {
	o, err := p.s.owners(ctx)
	if err != nil {
		return err
	}
	for _, one := range p.all {
		u, where := one.users[current.ID], one.n.node.Name
		if err := p.accepted(u, where, o, current); err != nil {
			return err
		}
		if u == nil {
			continue
		}
		if more := len(slices.DeleteFunc(u.passwords(), func(h string) bool { return h == hash(current.Value) })); more > 0 {
			p.note("at %s %s has %d more passwords, which are not in the Secret: whoever uses one of them shares its fate", where, current.ID, more)
		}
	}
	return nil
}

// accepted wants one node to know the user, and to accept what the Secret holds.
func (p *preflight) accepted(u *user, where string, o owners, current rotation.Credential) error {
	switch {
	case u == nil:
		return p.urgently(rotation.Refuse(rotation.WithHint(fmt.Errorf("%s has no user %q", where, current.ID),
			"ACL rules are not replicated: make the user at every node, with the same rules; or check that the Secret belongs to this server")))
	case u.nopass:
		return p.urgently(fmt.Errorf("at %s: %w", where, errNopass(current.ID)))
	case !u.on:
		return p.urgently(rotation.Refuse(rotation.WithHint(fmt.Errorf("at %s the user %q is off", where, current.ID), "check which user the application has")))
	case current.Value.Empty() || u.has(hash(current.Value)):
		return nil
	}
	if p.s.Leaked && o.whose(u, current) == unproven { // whoever has it may have changed its password
		p.question(rotation.Item{Name: where, Consent: rotation.ConsentOwnership, Phase: rotation.Doubtful, Note: fmt.Sprintf(
			"it does not accept the Secret's password of %q, so that nothing shows whose user that is: is it the target's, and has to go?", current.ID)})
	}
	return p.urgently(rotation.Refuse(rotation.WithHint(fmt.Errorf("%s does not accept the Secret's password of %q", where, current.ID),
		"put the password that the application really uses into the Secret first")))
}

// leaves wants a user that can be left behind.
func (p *preflight) leaves(_ context.Context, current rotation.Credential) error {
	if err := p.s.mayChange(current); err != nil {
		return cannot{err}
	}
	return nil
}

// agree wants all nodes to let the user do the same.
func (p *preflight) agree(_ context.Context, current rotation.Credential) error {
	_, err := p.all.rules(current.ID)
	return err
}

// mayAct wants the administrator to be allowed what is to come, as far as the server can say so beforehand.
func (p *preflight) mayAct(ctx context.Context, current rotation.Credential) error {
	return p.fl.each(ctx, func(ctx context.Context, n *session) error {
		if n.version() < 7000 {
			return nil
		}
		var dry [][]string
		for _, c := range [][]string{
			{"ACL", "SETUSER", current.ID}, {"ACL", "DELUSER", current.ID}, {"ACL", "LOG"}, {"CLIENT", "KILL", "USER", current.ID}, n.storage.save,
		} {
			if c != nil {
				dry = append(dry, append([]string{"ACL", "DRYRUN", p.s.admin()}, c...))
			}
		}
		answers, err := n.batch(ctx, dry)
		for _, answer := range answers {
			if answer != "OK" {
				return cannot{rotation.Refuse(rotation.WithHint(errors.New(answer), fmt.Sprintf("ACL SETUSER %s %s", p.s.admin(), strings.Join(rights, " "))))}
			}
		}
		return err
	})
}

// links refuses where the server's own parts come in as the user: a replica to its primary. They do not read the application's Secret. A
// client that only looks like one is asked about: any client may call itself a Sentinel, or ask to replicate.
func (p *preflight) links(ctx context.Context, current rotation.Credential) error {
	found, err := ask(ctx, p.fl, func(ctx context.Context, n *session) ([]client, error) {
		as, err := n.setting(ctx, "masteruser")
		if err != nil {
			return nil, err
		}
		if as == current.ID && as != Default {
			return nil, rotation.Refuse(rotation.WithHint(fmt.Errorf("it replicates as %q (masteruser), which it could not any more", as),
				"give replication a user of its own: masteruser and masterauth"))
		}
		return n.of(ctx, current.ID)
	})
	if err != nil {
		return err
	}
	for _, one := range found {
		for _, c := range one.of {
			who := c.replicates()
			if who == "" || who != "a Sentinel" && current.ID == Default {
				continue
			}
			p.question(rotation.Item{Name: one.n.node.Name, Phase: rotation.Doubtful, Note: fmt.Sprintf(
				"a client at %s that looks like %s comes in as %q: if it is one, give it a user of its own first (auth-user of a Sentinel, masteruser of a replica)",
				cmp.Or(c.host, "the local socket"), who, current.ID)})
		}
	}
	return nil
}

// auths refuses where a node replicates with the very password that is to go.
func (p *preflight) auths(ctx context.Context, current rotation.Credential) error {
	return p.fl.each(ctx, func(ctx context.Context, n *session) error {
		secret, err := n.setting(ctx, "masterauth")
		if err != nil {
			return err
		}
		as, err := n.setting(ctx, "masteruser")
		if err != nil {
			return err
		}
		if secret == "" || cmp.Or(as, Default) != current.ID || !current.Value.Equal(rotation.NewSecret([]byte(secret))) {
			return nil
		}
		return rotation.Refuse(rotation.WithHint(
			errors.New("it replicates with this password (masterauth): once it is gone, the next connection to the primary would be refused"),
			"give replication a user of its own on every node: masteruser and masterauth"))
	})
}

// requirepass says what becomes of the old way to set the password of the user default.
func (p *preflight) requirepass(ctx context.Context, current rotation.Credential) error {
	if current.ID != Default {
		return nil
	}
	for _, one := range p.all {
		secret, err := one.n.setting(ctx, "requirepass")
		if err != nil {
			return err
		}
		if secret != "" {
			p.note("%s was given the password of default by requirepass: CONFIG SET requirepass would replace both passwords while they are "+
				"side by side, and a restart with that argument brings back what it says", one.n.node.Name)
		}
	}
	return nil
}

// keeps asks where a node loses its users at a restart, and says what else is written where they are kept in the configuration.
func (p *preflight) keeps(context.Context, rotation.Credential) error {
	for _, one := range p.all {
		switch {
		case one.n.volatile() != "":
			p.question(rotation.Item{
				Name: one.n.node.Name, Consent: ConsentVolatile, Phase: rotation.Doubtful,
				Note: one.n.volatile() + ": the new password would be refused after it, and the old one accepted again",
			})
		case one.n.storage.save[0] == "CONFIG":
			p.note("%s keeps its users in %s: CONFIG REWRITE writes down whatever else was changed there by CONFIG SET", one.n.node.Name, one.n.storage.path)
		}
	}
	return nil
}
