package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// loginPatience is how long one try to log in may take.
const loginPatience = 10 * time.Second

// verdict is how one database of one node treats a credential.
type verdict struct {
	status rotation.Status
	proof  string
}

// attempt is a credential to be tried at one database of a node.
type attempt struct {
	sub      subject // as that node's catalogue has it
	node     *session
	database string
	mark     string // see [session.mark]; "" where a login is always tried
	doubt    string // why pg_hba.conf may keep clients out that a login from here would not notice; "" for none
}

// try logs in, and says what that proves. The error is only ever the end of ctx.
//
// SCRAM proves both sides: the server has shown that it holds the verifier of this very password. So it is asked for
// first, and no wrong password has to be tried, which the server would log as an attack. Only where the server
// wants something else, a wrong one shows whether it looks at passwords at all.
func (s *Server) try(ctx context.Context, a attempt) (verdict, error) {
	ctx, cancel := context.WithTimeout(ctx, loginPatience)
	defer cancel()
	v, proven := s.proofs.of(a)
	if !proven {
		v = s.scram(ctx, a)
	}
	if errors.Is(ctx.Err(), context.Canceled) {
		return verdict{}, ctx.Err()
	}
	if !proven {
		s.proofs.keep(a, v)
	}
	if v.status == rotation.Accepts && a.doubt != "" {
		return verdict{rotation.Unproven, v.proof + "; but " + a.doubt}, nil
	}
	return v, nil
}

// atOnce is how many logins are tried at the same time. Each may be a tunnel of its own, which takes its time to dial.
const atOnce = 4

// tryAll is try at several databases, with a verdict for each.
func (s *Server) tryAll(ctx context.Context, a attempt, databases []string) ([]verdict, error) {
	all, errs := make([]verdict, len(databases)), make([]error, len(databases))
	free := make(chan struct{}, atOnce)
	var trying sync.WaitGroup
	for i, database := range databases {
		free <- struct{}{}
		trying.Go(func() {
			one := a
			one.database = database
			all[i], errs[i] = s.try(ctx, one)
			<-free
		})
	}
	trying.Wait()
	return all, errors.Join(errs...)
}

func (s *Server) scram(ctx context.Context, a attempt) verdict {
	conn, err := s.as(ctx, a, a.sub.c.Value, "scram-sha-256")
	switch {
	case err == nil:
		return a.inside(ctx, conn, "")
	case asks(err) != "" && ctx.Err() == nil:
		return s.otherwise(ctx, a, asks(err))
	}
	return a.refused(err)
}

// otherwise tries a path on which the server asks by another method than SCRAM, or for nothing.
func (s *Server) otherwise(ctx context.Context, a attempt, method string) verdict {
	wrong, err := rotation.NewPassword(s.Rand)
	if err != nil {
		return verdict{rotation.Unknown, err.Error()}
	}
	conn, err := s.as(ctx, a, wrong, "")
	if err == nil {
		if v := a.inside(ctx, conn, ""); v.status != rotation.Accepts {
			return v
		}
		return a.stored("this path does not check passwords")
	}
	if code(err) != codeWrongPassword {
		return a.refused(err)
	}
	if !s.Auth.allows(method, s.TLS) {
		return a.withheld(method)
	}
	conn, err = s.as(ctx, a, a.sub.c.Value, method)
	if err != nil {
		return a.refused(err)
	}
	return a.inside(ctx, conn, ", and a wrong password was refused")
}

// undisturbed are settings for a session that tries a login. Every login may set its own defaults, which a try must not fail by.
var undisturbed = map[string]string{"search_path": "pg_catalog", "statement_timeout": "0", "lock_timeout": "0"}

func (s *Server) as(ctx context.Context, a attempt, password rotation.Secret, method string) (*pgx.Conn, error) {
	conn, err := s.connect(ctx, a.node.node, who{user: a.sub.c.ID, password: password, database: a.database, method: method, params: undisturbed})
	if err == nil {
		s.tried(a.node.node.Name, conn)
	}
	return conn, err
}

// inside asserts that the session is the login's and acts as the owner: then it has the owner's rights, neither more nor
// less, on all that there is and all that will be. A membership that does not allow SET ROLE, or that is missing,
// logs in all the same, as itself.
func (a attempt) inside(ctx context.Context, conn *pgx.Conn, more string) verdict {
	defer part(conn)
	var session, current string
	err := explain(conn.QueryRow(ctx, "SELECT session_user::text, current_user::text").Scan(&session, &current))
	switch {
	case err != nil:
		return verdict{rotation.Unknown, err.Error()}
	case session != a.sub.c.ID:
		return verdict{rotation.Altered, fmt.Sprintf("the login became %q", session)}
	case current != a.sub.acts():
		return verdict{rotation.Altered, fmt.Sprintf("logs in, but acts as %q instead of %q", current, a.sub.acts())}
	case session != current:
		return verdict{rotation.Accepts, fmt.Sprintf("login as %s, acting as %s%s", session, current, more)}
	}
	return verdict{rotation.Accepts, fmt.Sprintf("login as %s%s", session, more)}
}

// part ends a session behind our back: the server ends it as soon as it reads the goodbye, and a port-forward takes
// another second to say so, for which nobody has to wait.
func part(conn *pgx.Conn) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = conn.Close(ctx)
	}()
}

// refused says what a failed login means.
func (a attempt) refused(err error) verdict {
	r := a.sub.role
	switch code(err) {
	case codeWrongPassword:
		switch {
		case r.Expired:
			return verdict{rotation.Altered, "its password has expired"}
		case r.knows && fits(r.verifier, r.Name, a.sub.c.Value) == fitYes:
			return verdict{rotation.Unknown, "the stored verifier fits, but the server checks something else (pg_hba.conf)"}
		}
		return verdict{rotation.Altered, "the server has another password for it"}
	case codeTooMany:
		return a.stored("no connection is free for a login: " + err.Error())
	case codeNotAuthorized:
		return a.unproven(err)
	case codeNoPrivilege:
		return verdict{rotation.Altered, err.Error()}
	}
	return verdict{rotation.Unknown, err.Error()}
}

// stored judges by the catalogue what could not be judged by a login.
func (a attempt) stored(why string) verdict {
	r := a.sub.role
	if !r.knows {
		return verdict{rotation.Unproven, why + ", and the stored verifier may not be read"}
	}
	switch fits(r.verifier, r.Name, a.sub.c.Value) {
	case fitYes:
		return verdict{rotation.Accepts, "stored verifier fits; " + why}
	case fitNo:
		return verdict{rotation.Altered, "another password is stored; " + why}
	}
	return verdict{rotation.Unproven, why + ", and the stored verifier could not be compared"}
}

// unproven is a path that is closed to the login: it says nothing about the path of its clients.
func (a attempt) unproven(err error) verdict {
	v := a.stored("no login on this path: " + err.Error())
	if v.status == rotation.Accepts {
		v.status = rotation.Unproven
	}
	return v
}
