package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Door is a way in that clients take and that is no node: a pooler, such as PgBouncer, in front of the server. It has no
// catalogue, and nothing here can change what it accepts: only a login tells how it treats a credential.
type Door struct {
	Node
	// TLS is how connections to it are secured: it has certificates of its own, or none.
	TLS TLS
	// Database is the one to ask for there. Empty is the login's name, as for every client.
	Database string
	// Pods are the names of those behind the door, by the addresses from which their connections come to the server. Nil, or
	// an error: they cannot be told from others.
	Pods func(context.Context) (map[string]string, error)
}

// standing is how the door treats a login that the nodes let in.
func (d Door) standing(ctx context.Context, s *Server, sub subject) (rotation.Standing, error) {
	v := d.try(ctx, s, sub)
	if errors.Is(ctx.Err(), context.Canceled) {
		return rotation.Standing{}, ctx.Err()
	}
	return rotation.Standing{Where: d.where(sub), Status: v.status, Proof: v.proof}, nil
}

func (d Door) where(sub subject) string { return d.Name + "/" + cmp.Or(d.Database, sub.c.ID) }

// try logs in, as [Server.try] does at a node: SCRAM proves the door's side too; where it asks for something else, a wrong
// password has to be refused, or the login proves nothing.
func (d Door) try(ctx context.Context, s *Server, sub subject) verdict {
	ctx, cancel := context.WithTimeout(ctx, loginPatience)
	defer cancel()
	a, more := attempt{sub: sub, node: &session{node: d.Node}, database: cmp.Or(d.Database, sub.c.ID)}, ""
	conn, err := d.knock(ctx, sub.c.ID, sub.c.Value, "scram-sha-256")
	if method := asks(err); method != "" && ctx.Err() == nil {
		if v, any := d.lets(ctx, s, sub); any {
			return v
		}
		more = ", and a wrong password was refused"
		if !s.Auth.allows(method, d.TLS) {
			return verdict{rotation.Unproven, err.Error() + ", which is not allowed (postgres.auth)" + more}
		}
		conn, err = d.knock(ctx, sub.c.ID, sub.c.Value, method)
	}
	if err != nil {
		return refusal(err)
	}
	v := a.inside(ctx, conn, more)
	if v.status == rotation.Altered {
		v.status = rotation.Unproven // what the door makes of a login is nothing that an install could mend
	}
	return v
}

// lets says whether the door lets a wrong password in, or gave no answer to it.
func (d Door) lets(ctx context.Context, s *Server, sub subject) (verdict, bool) {
	wrong, err := rotation.NewPassword(s.Rand)
	if err != nil {
		return verdict{rotation.Unknown, err.Error()}, true
	}
	conn, err := d.knock(ctx, sub.c.ID, wrong, "")
	if err == nil {
		part(conn)
		return verdict{rotation.Unproven, "it lets a wrong password in too"}, true
	}
	v := refusal(err)
	return v, v.status != rotation.Refused
}

// knock logs in without our name: what a pooler keeps of it at the server is a session like any other.
func (d Door) knock(ctx context.Context, user string, password rotation.Secret, method string) (*pgx.Conn, error) {
	return connect(ctx, d.TLS, d.Node, who{
		user: user, password: password, database: d.Database, method: method, params: map[string]string{"application_name": ""},
	})
}

// refusal is what a login that failed at a door means. PgBouncer has one code, a protocol violation, for all that it says.
func refusal(err error) verdict {
	switch code(err) {
	case codeWrongPassword, codeNotAuthorized, codeProtocol:
		return verdict{rotation.Refused, err.Error()}
	}
	return verdict{rotation.Unknown, err.Error()}
}

// advice adds to the refusal of a new login what to do about it at a pooler.
func advice(p rotation.Standing, login string) rotation.Standing {
	if p.Status == rotation.Refused {
		p.Proof += fmt.Sprintf("; have its auth_query look up any login, or add %s to its auth_file with the verifier that "+
			"pg_authid has (rolpassword), then RELOAD it", ident(login))
	}
	return p
}

// known wants the doors to let the login in use in: else what they say of the next one proves nothing.
func (p *preflight) known(ctx context.Context, current rotation.Credential) error {
	if current.Value.Empty() {
		return nil
	}
	for _, d := range p.s.Doors {
		place, err := d.standing(ctx, p.s, p.sub)
		switch {
		case err != nil:
			return err
		case place.Status == rotation.Refused:
			return rotation.Refuse(rotation.WithHint(
				fmt.Errorf("%s, where the Secret's connection string leads, does not let %q in: %s", place.Where, current.ID, place.Proof),
				"put right what the connection string says, or name the application's way in the configuration (postgres.through)"))
		case place.Status != rotation.Accepts:
			p.note("%s, where the application comes in: %s (%s)", place.Where, place.Status, place.Proof)
		}
	}
	return nil
}

// poolers are the names of the pods behind all doors, by address.
func (s *Server) poolers(ctx context.Context) map[string]string {
	all := map[string]string{}
	for _, d := range s.Doors {
		if d.Pods == nil {
			continue
		}
		pods, err := d.Pods(ctx)
		if err != nil {
			continue // then they are addresses like any other
		}
		for address, name := range pods {
			all[address] = name
		}
	}
	return all
}

// attributed are sessions with the poolers among their clients named.
func (s *Server) attributed(ctx context.Context, sessions []rotation.Session) []rotation.Session {
	if len(sessions) == 0 || len(s.Doors) == 0 {
		return sessions
	}
	names := s.poolers(ctx)
	for i := range sessions {
		sessions[i].Pooler = names[sessions[i].Address]
	}
	return sessions
}
