package postgres

import (
	"fmt"
	"strings"
)

// Roles are marked by their comments, which every user of the server can read, and which a dump and a standby have too.
// A login made here says so and names its owner; an adopted login that was erased says that it is one no more, for
// admins who may not read in pg_authid that its password is gone; a login that somebody made by hand and that was joined to its
// owner says that. A comment of somebody else's is kept beside.
const (
	loginMark   = "kubectl-rotate: login of "
	retiredMark = "kubectl-rotate: retired as a login, stays as the owner"
	joinedMark  = "kubectl-rotate: found in use, made to act as the owner"
)

// madeFor is the owner that r was made for by a rotation; ours is false for roles of other origin.
func (r *role) madeFor() (owner string, ours bool) {
	return strings.CutPrefix(r.Comment, loginMark)
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
