package redisacl

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Standing is how each node treats c: one place each, by ACL LIST. Where that says that c is let in, it logs in, as the application
// would. Where c has no value, the user alone is looked at. A node that could not be reached is unknown, and so is one
// that others name and that nobody here knows the way to.
func (s *Server) Standing(ctx context.Context, c rotation.Credential) ([]rotation.Standing, error) {
	return s.standing(ctx, c, func(o owners, u *user) (rotation.Status, string) {
		w := o.whose(u, c)
		switch {
		case u == nil:
			return rotation.Absent, "ACL LIST: no such user"
		case (w == others || w == guests) && c.Value.Empty():
			return rotation.Absent, "ACL LIST: a user of that name is another target's"
		case w == others || w == guests:
			return rotation.Altered, "ACL LIST: a user of that name is another target's"
		case !u.on:
			return rotation.Quarantined, "ACL LIST: off"
		case c.Value.Empty():
			return rotation.Accepts, "ACL LIST: on"
		case u.nopass:
			return rotation.Altered, "ACL LIST: nopass, any password is let in"
		case !u.has(hash(c.Value)):
			return rotation.Altered, "ACL LIST: it has another password"
		}
		return u.saved()
	}, s.Leaked && !c.Value.Empty())
}

// saved is the end of what the list of users can tell: Unknown where a login has to be tried.
func (u *user) saved() (rotation.Status, string) {
	if u.has(unfinished) {
		return rotation.Altered, "in effect, and its install was not finished: whether it is saved is not known"
	}
	return rotation.Unknown, ""
}

// standing is by what judge makes of the user as a node knows him; where that is Unknown, a login decides.
//
// Nodes that could not be reached are unknown, unless the call goes without them: the answer to a leak goes on where it can, and has them told
// of the new version when they are back.
func (s *Server) standing(ctx context.Context, c rotation.Credential, judge func(owners, *user) (rotation.Status, string), without bool) (places []rotation.Standing, err error) {
	err = s.with(ctx, func(ctx context.Context, fl *fleet) error {
		o, err := s.owners(ctx)
		if err != nil {
			return err
		}
		all, err := fl.users(ctx)
		if err != nil {
			return err
		}
		for _, one := range all {
			status, proof := judge(o, one.users[c.ID])
			places = append(places, rotation.Standing{Where: one.n.node.Name, Status: status, Proof: proof})
		}
		if err := all.try(ctx, c, places); err != nil {
			return err
		}
		if !without {
			places = append(places, fl.silent()...)
			return nil
		}
		for _, d := range fl.down {
			s.note(fmt.Sprintf("%s does not have the new version yet: %v", d.name, d.err))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("how %s stands: %w", c.ID, err)
	}
	return places, nil
}

// try logs in wherever the place of a node says that this has to decide, everywhere at once: each may be a tunnel of its own, which
// takes its time to dial.
func (all seen) try(ctx context.Context, c rotation.Credential, places []rotation.Standing) error {
	errs := make([]error, len(all))
	atOnce(len(all), func(i int) {
		if p := &places[i]; p.Status == rotation.Unknown {
			p.Status, p.Proof, errs[i] = all[i].n.try(ctx, c)
		}
	})
	return errors.Join(errs...)
}

// try logs in as c. What proves it is the answer to AUTH, which comes with HELLO, and the user that the node then has for that very
// connection. A PING would prove nothing: after an AUTH that failed, it is answered for whoever was there before. The
// error is only ever the end of ctx.
func (n *session) try(ctx context.Context, c rotation.Credential) (rotation.Status, string, error) {
	client := n.dialer.client("", rotation.Secret{})
	login := &session{node: n.node, client: client, conn: client.Conn()}
	defer func() { go login.close() }() // a tunnel takes its time to end, for which nobody has to wait
	answer, err := login.do(ctx, "HELLO", "2", "AUTH", c.ID, string(c.Value.Reveal()), "SETNAME", Application)
	switch {
	case errors.Is(err, context.Canceled):
		return "", "", err
	case refusal(err):
		return rotation.Unknown, "the password that ACL LIST has is refused: " + err.Error(), nil
	case err != nil && n.leaked && n.full(ctx): // which whoever has the leaked value can bring about
		return rotation.Accepts, "ACL LIST: on, with this password; a login could not be tried: all connections are used up", nil
	case err != nil:
		return rotation.Unknown, "trying to log in: " + err.Error(), nil
	}
	who, err := n.userOf(ctx, answer)
	switch {
	case err != nil:
		return rotation.Unknown, "logged in, and asking for its own user: " + err.Error(), nil
	case who != c.ID:
		return rotation.Altered, fmt.Sprintf("the login became %q", who), nil
	}
	return rotation.Accepts, "AUTH as " + who, nil
}

// full says whether a node has no room for one more connection. What it says to the one that is too many is often lost.
func (n *session) full(ctx context.Context) bool {
	text, err := n.text(ctx, "INFO", "clients")
	if err != nil {
		return false
	}
	info := fields(strings.ReplaceAll(text, ":", "="), "\r\n")
	most := atoi(info["maxclients"])
	return most > 0 && atoi(info["connected_clients"]) >= most
}

// userOf asks, on the admin's connection, which user the connection has that HELLO was the answer to: a user may lack the right
// to ask that of itself.
func (n *session) userOf(ctx context.Context, hello any) (string, error) {
	list, _ := hello.([]any)
	for i := 0; i+1 < len(list); i += 2 {
		id, ok := list[i+1].(int64)
		if list[i] != "id" || !ok {
			continue
		}
		found, err := n.clients(ctx, "ID", strconv.FormatInt(id, 10))
		if err != nil {
			return "", err
		}
		for _, c := range found {
			return c.user, nil
		}
	}
	return "", errors.New("the server does not show the connection")
}
