package redisacl

import (
	"cmp"
	"context"
	"io"
	"net"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// Application is the name that every connection made here gives itself, for people who look at CLIENT LIST. Nothing is exempt for it:
// any client may have that name. Those that change something have it too, with runs after it.
const Application = "kubectl-rotate"

// runs is the name of connections of a run that may change something.
const runs = Application + "-run"

// Default is the user that a client is which sends no user name.
const Default = "default"

// Server is a Redis or Valkey server of one or more nodes. It implements [rotation.Server]. Set the fields before the first call.
// Calls may be made concurrently; they take turns. Close it after the last.
type Server struct {
	// Nodes gives all nodes, anew at each call. Nobody logs in anywhere else, whatever a node announces.
	Nodes func(context.Context) ([]Node, error)
	// Admin makes the changes.
	Admin Admin
	// TLS is how connections are secured. The zero value finds out.
	TLS TLS
	// Rand is the source of passwords. Nil is crypto/rand.
	Rand io.Reader
	// Now is the clock of those who ask Refused. Nil is the local one.
	Now func() time.Time
	// Timeout is how long one call may take. Zero is 30 s.
	Timeout time.Duration
	// Target is what identifies the target: users that are made here have it as their mark. "": they have none.
	Target string
	// Own gives the credentials that the target has: the one in the application's Secret, and those on record. Nil: none.
	Own func(context.Context) ([]rotation.Credential, error)
	// Leaked is true where the value in use has leaked: what whoever has it can do must not keep it from being replaced.
	Leaked bool
	// Agreed says whether the operator has agreed to questions of a kind. Nil: to none.
	Agreed func(kind string) bool
	// Note is told what an operator should know, once. Nil: nobody listens.
	Note func(text string)

	turns serverconn.Turns // whoever has the turn may use what is below
	conns map[string]*session
	alone bool
	known []rotation.Secret // passwords of the admin that were met on the way
	noted map[string]bool   // what Note was told
	// firsts is when somebody was first seen to be turned away, by name and address.
	firsts map[string]time.Time
}

var _ rotation.Server = (*Server)(nil)

// Node is one process of the server.
type Node struct {
	// Name tells it from the others, and is how it is called in messages. A pod's name is a good one.
	Name string
	// Address is host:port: what is dialed, what a certificate is checked against, and what other nodes may call it.
	Address string
	// Aliases are other hosts that other nodes may call it by.
	Aliases []string
	// Dial connects to it. It may lead through a tunnel, whose end is not where Address says. Nil is a plain net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Lost says why a file of that path does not outlast a restart of the node; "" where it does. Nil: every file does.
	Lost func(path string) string
}

// Admin is the user that makes the changes.
type Admin struct {
	// User is default when empty.
	User string
	// Passwords are tried in their order; none at all is for a server that asks for none.
	Passwords []rotation.Secret
}

// Alone says that this Server is the only one that may change anything from now on: those of earlier runs lose their
// connections to each node before it is looked at here, so that none of their commands can come after the look.
func (s *Server) Alone() {
	s.turns.Between(func() {
		s.alone = true
		s.hangUp()
	})
}

// Close ends the connections. The Server can be used again, which makes new ones.
func (s *Server) Close() error {
	s.turns.Between(s.hangUp)
	return nil
}

// hangUp ends the connections behind our back: a tunnel takes its time to end, for which nobody has to wait.
func (s *Server) hangUp() {
	for _, n := range s.conns {
		go n.close()
	}
	clear(s.conns)
}

func (s *Server) timeout() time.Duration { return cmp.Or(s.Timeout, 30*time.Second) }

func (s *Server) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Server) agreed(kind string) bool { return s.Agreed != nil && s.Agreed(kind) }

// note tells the operator something. Only the call whose turn it is may do so.
func (s *Server) note(text string) {
	if s.Note == nil || s.noted[text] {
		return
	}
	if s.noted == nil {
		s.noted = map[string]bool{}
	}
	s.noted[text] = true
	s.Note(text)
}

func (s *Server) admin() string { return cmp.Or(s.Admin.User, Default) }
