package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Roles are marked by their comments, which every user of the server can read, and which a dump and a standby have too.
// A login made here says so and names its owner, and the target that it was made for ([Server.Target]) with the version; an adopted login that was erased says that it is one no more, for
// admins who may not read in pg_authid that its password is gone; a login that somebody made by hand and that was joined to its
// owner says that. A comment of somebody else's is kept beside.
const (
	loginMark   = "kubectl-rotate: login of "
	retiredMark = "kubectl-rotate: retired as a login, stays as the owner"
	joinedMark  = "kubectl-rotate: found in use, made to act as the owner"
	targetMark  = "; target "
)

// mark is what the comment of a login that a rotation has made says.
type mark struct {
	of     string // the owner of a login, or what a clone was copied from
	target string // as [Server.Target] had it; "" where it was not known
}

// parseMark reads a comment that begins with a prefix, loginMark or cloneMark.
func parseMark(comment, prefix string) (m mark, ok bool) {
	line, _, _ := strings.Cut(comment, "\n")
	if m.of, ok = strings.CutPrefix(line, prefix); !ok {
		return mark{}, false
	}
	if at := strings.LastIndex(m.of, targetMark); at >= 0 {
		m.target = m.of[at+len(targetMark):]
		m.of = m.of[:at]
		if version := strings.LastIndex(m.target, " v"); version >= 0 {
			m.target = m.target[:version]
		}
	}
	return m, true
}

// marking is the comment of a login that is made for this Server's target.
func (s *Server) marking(prefix, of string, c rotation.Credential) string {
	if s.Target == "" {
		return prefix + of
	}
	return fmt.Sprintf("%s%s%s%s %v", prefix, of, targetMark, s.Target, c.V)
}

// madeFor is the owner that r was made for by a rotation, of whatever target; made is false for roles of other origin.
func (r *role) madeFor() (m mark, made bool) { return parseMark(r.Comment, loginMark) }

// mates are the owners of the logins that rotations have made, and what clones were copied from.
type mates struct {
	owners []string // of logins of any target
	ours   []string // of logins of this target
	clone  string   // the clone of the login that was asked for
	ofOurs bool     // which was made for this target
}

// mates reads the marks of all roles.
func (s *Server) mates(ctx context.Context, n *session, login string) (all mates, err error) {
	rows, err := list(ctx, n, pgx.RowToStructByPos[named], `
		SELECT rolname::text, comment FROM (SELECT rolname, shobj_description(oid, 'pg_authid') AS comment FROM pg_roles) r
		WHERE comment LIKE 'kubectl-rotate: %' ORDER BY 1`)
	for _, r := range rows {
		if m, ok := parseMark(r.Comment, loginMark); ok {
			all.owners = append(all.owners, m.of)
			if m.target == s.Target {
				all.ours = append(all.ours, m.of)
			}
		}
		if m, ok := parseMark(r.Comment, cloneMark); ok && m.of == login {
			all.clone, all.ofOurs = r.Name, m.target == s.Target
		}
	}
	return all, wrap(err, "looking for the logins of %s", login)
}

// named is a role and its comment.
type named struct {
	Name    string
	Comment string
}

// retired says whether r is an adopted login that was erased. A password that is known to be stored speaks louder than a
// comment, and so does the lack of one.
func (r *role) retired() bool {
	if r.CanLogin {
		return false
	}
	if r.knows {
		return r.verifier.Empty()
	}
	return r.marked()
}

func (r *role) marked() bool { return strings.HasSuffix(r.Comment, retiredMark) }

// joined says whether a rotation has made r act as its owner.
func (r *role) joined() bool { return strings.HasSuffix(r.Comment, joinedMark) }

// comment is the statement that gives a role one; an empty text takes it away.
func comment(role, text string) statement {
	value := "NULL"
	if text != "" {
		value = literal(text)
	}
	return statement{sql: fmt.Sprintf("COMMENT ON ROLE %s IS %s", ident(role), value)}
}

// with is r's comment with a mark at its end; withoutMark is without that of a retired login.
func (r *role) with(mark string) string {
	if r.Comment == "" {
		return mark
	}
	return r.Comment + "\n" + mark
}

func (r *role) withoutMark() string {
	return strings.TrimSuffix(strings.TrimSuffix(r.Comment, retiredMark), "\n")
}
