package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Install makes the server accept c: it creates the login beside the others, or mends one that was made here, or
// lifts a quarantine. A new login is a member of its owner, is set to act as it, and has the settings and the connection
// limit of the login that it is modelled on. All of it is one transaction. Where that login was made by hand and works by
// grants, its owner is given the same first, a database at a time, and it is made to act as the owner too: none of that takes
// anything from anybody, and it stays if the rotation is taken back. Standbys follow in their own time, which
// Standing tells. Refused: a role of the same name that no rotation has made, and an adopted login that is gone.
func (s *Server) Install(ctx context.Context, f rotation.Fence, c rotation.Credential) error {
	err := s.with(ctx, func(ctx context.Context, cl *cluster) error {
		n := cl.primary
		err := s.change(ctx, n, f, func(ctx context.Context) (func(context.Context) error, error) {
			sub, err := s.subject(ctx, n, c)
			if err != nil {
				return nil, err
			}
			list, err := s.installing(ctx, n, sub)
			if err != nil {
				return nil, err
			}
			model, joining, err := s.joining(ctx, n, sub)
			return func(ctx context.Context) error {
				if model.role != nil {
					if err := s.despite(s.give(ctx, n, model), model.c.ID); err != nil {
						return err
					}
				}
				return n.run(ctx, append(joining, list...))
			}, s.despite(err, sub.c.Meta[MetaModel])
		})
		if err != nil {
			return err
		}
		if err := s.makeRoom(ctx, n, f, c); err != nil {
			return err
		}
		return s.despite(s.complete(ctx, n, f, c), c.Meta[MetaModel])
	})
	return wrap(err, "installing %s", c.ID)
}

// despite is err, or nil with a note where what failed is to take over something from a login that has leaked: whoever has that may see to it
// that it cannot be taken over, and the new login works without.
func (s *Server) despite(err error, from string) error {
	if err == nil || s.Leaked == "" || from != s.Leaked || errors.Is(err, rotation.ErrSuperseded) || errors.Is(err, context.Canceled) {
		return err
	}
	s.note("not all that %s has could be taken over: %v", from, err)
	return nil
}

// installing is what makes the server accept a credential; nothing where it does already.
func (s *Server) installing(ctx context.Context, n *session, sub subject) ([]statement, error) {
	if sub.c.Value.Empty() {
		return nil, errNoValue
	}
	if err := s.mayChange(ctx, n, sub); err != nil {
		return nil, err
	}
	switch {
	case sub.cloned():
		return s.cloning(ctx, n, sub)
	case sub.generated() && sub.role == nil:
		return s.creating(ctx, n, sub)
	case sub.generated():
		return s.mending(ctx, n, sub)
	case sub.role == nil:
		return nil, rotation.Refuse(rotation.WithHint(
			fmt.Errorf("role %q does not exist any more, and with it whatever it owned", sub.c.ID),
			"restore it before you go on"))
	}
	return s.lifting(ctx, n, sub)
}

// creating makes a login.
func (s *Server) creating(ctx context.Context, n *session, sub subject) ([]statement, error) {
	if err := checkName("role", sub.owner); err != nil {
		return nil, err
	}
	if err := s.entitled(ctx, n, sub); err != nil {
		return nil, err
	}
	if _, err := n.existing(ctx, sub.owner); err != nil {
		return nil, err
	}
	model, err := n.model(ctx, sub)
	if err != nil {
		return nil, err
	}
	create := fmt.Sprintf("CREATE ROLE %s LOGIN CONNECTION LIMIT %d", ident(sub.c.ID), model.Limit)
	if model.Expires && s.ValidFor > 0 {
		end, err := s.end(ctx, n)
		if err != nil {
			return nil, err
		}
		create += " VALID UNTIL " + literal(end)
	}
	secret, err := s.passwordOf(ctx, n, sub)
	if err != nil {
		return nil, err
	}
	list := []statement{
		{sql: create + " IN ROLE " + ident(sub.owner)},
		secret,
		comment(sub.c.ID, s.marking(loginMark, sub.owner, sub.c)),
		acting(sub.c.ID, sub.owner),
	}
	settings, err := s.kept(ctx, n, model.Name)
	if err != nil {
		return nil, err
	}
	return assigning(list, sub.c.ID, settings)
}

// model is the role that a new login is given its settings and its limit from: the login in use when it was
// generated, or the owner where that one is gone.
func (n *session) model(ctx context.Context, sub subject) (*role, error) {
	if name := sub.c.Meta[MetaModel]; name != "" {
		if r, err := n.role(ctx, name); err != nil || r != nil {
			return r, err
		}
	}
	return n.existing(ctx, sub.owner)
}

func assigning(list []statement, login string, settings []setting) ([]statement, error) {
	for _, s := range settings {
		st, err := s.assign(login)
		if err != nil {
			return nil, err
		}
		list = append(list, st)
	}
	return list, nil
}

// mending gives a login that was made here what it lacks.
func (s *Server) mending(ctx context.Context, n *session, sub subject) ([]statement, error) {
	list, err := s.lifting(ctx, n, sub)
	if err != nil {
		return nil, err
	}
	if sub.role.Acts != sub.owner || !sub.role.MayAct {
		list = append(list, n.membership(sub.owner, sub.c.ID), acting(sub.c.ID, sub.owner))
	}
	if mark := s.marking(loginMark, sub.owner, sub.c); sub.role.Comment != mark {
		list = append(list, comment(sub.c.ID, mark))
	}
	model, err := n.model(ctx, sub)
	if err != nil {
		return nil, err
	}
	want, err := s.kept(ctx, n, model.Name)
	if err != nil {
		return nil, err
	}
	has, err := n.settings(ctx, sub.c.ID)
	if err != nil {
		return nil, err
	}
	return assigning(list, sub.c.ID, missing(want, has))
}

// lifting lets a role log in that exists, with the password that is on record.
func (s *Server) lifting(ctx context.Context, n *session, sub subject) (list []statement, err error) {
	r := sub.role
	if !r.CanLogin {
		list = append(list, statement{sql: fmt.Sprintf("ALTER ROLE %s LOGIN", ident(r.Name))})
	}
	if r.Expired {
		end := "infinity"
		if s.ValidFor > 0 {
			if end, err = s.end(ctx, n); err != nil {
				return nil, err
			}
		}
		list = append(list, statement{sql: fmt.Sprintf("ALTER ROLE %s VALID UNTIL %s", ident(r.Name), literal(end))})
	}
	if sub.lacksPassword() {
		secret, err := s.passwordOf(ctx, n, sub)
		if err != nil {
			return nil, err
		}
		list = append(list, secret)
	}
	if r.joined() && !r.MayAct {
		list = append(list, n.membership(sub.owner, r.Name))
	}
	if r.marked() {
		list = append(list, comment(r.Name, r.withoutMark()))
	}
	return list, nil
}

// lacksPassword says whether the password on record has to be set (again). A quarantine keeps what is stored. Where that may
// not be read, it is set for a role that was erased, and for one that can log in: then it is known not to work, or
// nobody would install it.
func (sub subject) lacksPassword() bool {
	if sub.role.knows {
		return fits(sub.role.verifier, sub.role.Name, sub.c.Value) == fitNo
	}
	return sub.role.CanLogin || sub.role.marked()
}

// passwordOf is the statement that sets the password on record.
func (s *Server) passwordOf(ctx context.Context, n *session, sub subject) (statement, error) {
	text, err := one[string](ctx, n, "SELECT coalesce(current_setting('scram_iterations', true), '')")
	if err != nil {
		return statement{}, wrap(err, "reading scram_iterations")
	}
	iterations, err := strconv.Atoi(cmp.Or(text, strconv.Itoa(scramIterations)))
	if err != nil {
		return statement{}, fmt.Errorf("scram_iterations is %q: %w", text, err)
	}
	v, err := scramVerifier(sub.c.Value, iterations, s.random())
	if err != nil {
		return statement{}, rotation.WithHint(err, fmt.Sprintf(`set it by hand: \password %s in psql`, ident(sub.c.ID)))
	}
	return statement{role: sub.c.ID, verifier: v}, nil
}

// end is when a password that is set now stops being valid, by the server's clock.
func (s *Server) end(ctx context.Context, n *session) (string, error) {
	end, err := one[string](ctx, n, "SELECT (now() + make_interval(secs => $1::float8))::text", s.ValidFor.Seconds())
	return end, wrap(err, "reading the server's clock")
}
