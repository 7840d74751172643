package postgres

import (
	"cmp"
	"context"
	"io"
	"net"
	"sync"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// Application is the application_name of every connection made here. It tells people who is connected, and nothing depends on it: any client can
// choose the same.
const Application = "kubectl-rotate"

// Server is a PostgreSQL cluster: its primary, and the standbys that replay it. It implements [rotation.Server].
// Set the fields before the first call. Calls may be made concurrently; they take turns. Close it after the last.
type Server struct {
	// Nodes are the servers of the cluster, in any order: which one is the primary is asked each time.
	Nodes []Node
	// Discover gives the nodes anew, where a node is silent or a standby is listed that is none of them: they come and go. Nil: the
	// nodes stay those of Nodes.
	Discover func(context.Context) ([]Node, error)
	// PodAt names the pod that has an address, for messages; "" for none. It may be nil.
	PodAt func(ctx context.Context, address string) string
	// Agreed says whether the operator has agreed to questions of a kind. Nil: to none.
	Agreed func(kind string) bool
	// Doors are ways in that the application takes and that are no nodes. A login that the nodes let in is tried there too.
	Doors []Door
	// Admin makes the changes. It must be another role than the one that is rotated.
	Admin Admin
	// Strategy is how Generate makes the next version; "" is Alternate. A version that was generated keeps to its own. With
	// SameUser the Server has to be used as a [SingleLogin].
	Strategy Strategy
	// TLS is how connections are secured. The zero value prefers TLS and does without where the server has none.
	TLS TLS
	// Auth is the weakest method by which a password is sent, the admin's or a login's. Empty is AuthSCRAM.
	Auth Auth
	// Owner is the role that owns the application's objects, for a login in use that acts as itself. Empty derives it: it is
	// the login itself, or a role that it was named after and that owns what it was granted (backend, for
	// backend_20260901). A login that acts as another role has that one as its owner, whatever is said here.
	Owner string
	// Reassign lets Erase give what the login has come to own to its owner, database by database. Without it that is
	// refused, unless the login was joined to its owner by a rotation.
	Reassign bool
	// Growth is how many times as many connections the application may come to need as it has now. Less than one is one.
	Growth float64
	// Target names whom logins are made for, such that no other target has the same: "shop/backend-login 4f1c…", the Secret and its
	// UID. It is part of each login's mark: a login that was made for another target is not touched.
	Target string
	// Record reads what the target's record and its Secret hold now. Whoever can write there is trusted with no more than what
	// the passwords in it open: a role that no mark shows to be this target's is changed only where the server accepts
	// one of them for it. Nil trusts each credential that a method is given.
	Record func(context.Context) (rotation.Record, error)
	// Leaked is the name of the login in use where that has leaked: others have it, and use it against us. Whatever it can do to itself
	// stops nothing. "" is none.
	Leaked string
	// Own says whether an address is that of a pod of this target's consumers. Nil: none is known.
	Own func(ctx context.Context, address string) bool
	// Note is told what was done beyond what was asked for, such as a session that was ended since it was in the way. Nil: nobody.
	Note func(text string)
	// ValidFor is how long the password of a new login is valid where that of the login in use expires too. Zero
	// makes new passwords without an end: VALID UNTIL is never copied as it stands, or both would end together.
	ValidFor time.Duration
	// Rand is the source of passwords and salts, for several readers at once. Nil is crypto/rand.
	Rand io.Reader

	// Timeout is how long one call may take. Zero is 30 s.
	Timeout time.Duration
	// LockWait is how long to wait for another operator's effect to end. Zero is 5 s.
	LockWait time.Duration
	// Stall is how long an effect may pause, its fence included, before the server ends its transaction. Zero is 10 s.
	Stall time.Duration
	// ReplayWait is how long one look waits for a standby to replay what the primary has done. Zero is 2 s.
	ReplayWait time.Duration

	turns serverconn.Turns // whoever has the turn may use what follows
	found []Node           // what Discover gave last; nil: nothing
	admin map[string]*session

	proofs proofs
	known  map[string]bool // logins that were shown to be this target's, during this process; for whoever has the turn

	trying sync.Mutex
	tries  map[backend]time.Time // connections made here to try a login, and when each was made
}

var _ rotation.Server = (*Server)(nil)

// Node is one server of the cluster.
type Node struct {
	// Name tells it from the others, and is how it is called in messages. A pod's name is a good one.
	Name string
	// Host is what is dialed, and the name that its certificate is checked against. Empty is localhost; one that begins
	// with a slash is the directory of a Unix socket.
	Host string
	// Aliases are other hosts that its certificate may be for; where Host is empty, they alone are.
	Aliases []string
	// Port is zero for 5432.
	Port uint16
	// Addresses are those from which it connects to other servers, where they are known and nobody else's.
	Addresses []string
	// Dial connects to the server. It may lead through a tunnel, whose end is not where Host says. Nil is a plain
	// net.Dialer.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Local connects to the server's Unix socket, for an admin that has no password and is refused without one by Dial. May be nil.
	Local func(ctx context.Context, network, address string) (net.Conn, error)
}

// Admin is the role that makes the changes.
type Admin struct {
	User string
	// Password may be empty where the server asks for none (trust, peer).
	Password rotation.Secret
	// Database is what to connect to first. Empty is postgres.
	Database string
}

// Close ends the connections. The Server can be used again, which makes new ones.
func (s *Server) Close() error {
	s.turns.Between(func() {
		for name, n := range s.admin {
			n.hangUp()
			delete(s.admin, name)
		}
	})
	return nil
}

// keep holds an admin's session open for the next call.
func (s *Server) keep(name string, n *session) {
	if s.admin == nil {
		s.admin = map[string]*session{}
	}
	s.admin[name] = n
}

func (s *Server) timeout() time.Duration  { return cmp.Or(s.Timeout, 30*time.Second) }
func (s *Server) lockWait() time.Duration { return cmp.Or(s.LockWait, 5*time.Second) }
func (s *Server) stall() time.Duration    { return cmp.Or(s.Stall, 10*time.Second) }

func (s *Server) replayWait() time.Duration {
	return cmp.Or(s.ReplayWait, 2*time.Second)
}

func (n Node) host() string { return cmp.Or(n.Host, "localhost") }
