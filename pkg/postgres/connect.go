package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/serverconn"
)

// neutral is a connection string in which everything is said that pgx would otherwise take from PG* variables,
// a password file, or the home directory. What counts is set on the configuration made from it; TLS is the dialer's.
const neutral = "host=localhost port=5432 user=x password=x database=x sslmode=disable sslrootcert='' sslcert='' sslkey='' " +
	"sslpassword='' sslcertmode=disable sslnegotiation=postgres passfile='' connect_timeout=10 target_session_attrs=any " +
	"min_protocol_version=3.0 max_protocol_version=3.0 channel_binding=prefer require_auth=''"

// who is as whom to connect, and how.
type who struct {
	user     string
	password rotation.Secret
	database string
	// method is the only way to authenticate that is accepted of the server; "" is any.
	method string
	// params are sent at the start of the session.
	params map[string]string
}

// connect opens a connection to n.
func (s *Server) connect(ctx context.Context, n Node, w who) (*pgx.Conn, error) {
	return connect(ctx, s.TLS, n, w)
}

// connect opens a connection to n that is secured like this.
func connect(ctx context.Context, t TLS, n Node, w who) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(neutral)
	if err != nil {
		return nil, rotation.WithHint(
			fmt.Errorf("PGSERVICE names a service that cannot be read: %w", err), "unset PGSERVICE")
	}
	config.Host, config.Port = n.host(), cmp.Or(n.Port, 5432)
	config.User, config.Password, config.Database = w.user, string(w.password.Reveal()), w.database
	config.RequireAuth = w.method
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.RuntimeParams = map[string]string{"application_name": Application}
	for k, v := range w.params {
		config.RuntimeParams[k] = v
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // no statement is prepared by name
	conn, err := dialed(ctx, t, n, config)
	if errors.Is(err, syscall.ECONNREFUSED) && n.Dial != nil {
		conn, err = dialed(ctx, t, n, config) // a tunnel may have another way, which it takes once it was refused on the first
	}
	return conn, err
}

// dialed is one try. The driver may still dial for it after it has failed, to cancel what it asked: each has a dialer of its own.
func dialed(ctx context.Context, t TLS, n Node, config *pgx.ConnConfig) (*pgx.Conn, error) {
	dialer := &dialer{node: n, peer: &serverconn.Peer{TLS: effective(t), Hosts: n.hosts()}}
	config = config.Copy()
	config.DialFunc = dialer.dial
	conn, err := pgx.ConnectConfig(ctx, config)
	if failed := dialer.arrived(err == nil); err != nil && failed != nil {
		return nil, dialer.shown(unreachable(failed), config.User) // without the address, which a tunnel does not care about
	}
	return conn, dialer.shown(explain(err), config.User)
}

// dialer makes connections to a node, and keeps the error of the last try.
type dialer struct {
	node Node
	peer *serverconn.Peer

	mu   sync.Mutex
	err  error
	last *arriving
}

// arriving is a connection on which a login is under way. If that fails nobody has to wait for its end, which a tunnel
// takes half a second for.
type arriving struct {
	net.Conn
	in atomic.Bool
}

// Write counts as done where the server has hung up on a login: what it has said before is still there to be read, an alert of TLS or a
// message, and would be lost with the error.
func (a *arriving) Write(p []byte) (int, error) {
	n, err := a.Conn.Write(p)
	if !a.in.Load() && (errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)) {
		return len(p), nil
	}
	return n, err
}

// Close ends it, behind our back as long as nobody is in.
func (a *arriving) Close() error {
	if a.in.Load() {
		return a.Conn.Close()
	}
	go func() { _ = a.Conn.Close() }()
	return nil
}

// arrived takes down whether the login succeeded, and gives the error of the last try to dial.
func (d *dialer) arrived(in bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last != nil {
		d.last.in.Store(in)
	}
	return d.err
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.secure(ctx, network, address)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
	return conn, err
}

func (d *dialer) secure(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := d.open(ctx, network, address)
	if err != nil || network == "unix" {
		return raw, err
	}
	conn, err := d.over(ctx, raw)
	if err == nil {
		return conn, nil
	}
	_ = raw.Close()
	if d.peer.Mode == TLSPrefer && errors.Is(err, errHandshake) && ctx.Err() == nil {
		return d.open(ctx, network, address)
	}
	return nil, err
}

func (d *dialer) open(ctx context.Context, network, address string) (net.Conn, error) {
	dial := d.node.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	last := &arriving{Conn: conn}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = last
	return last, nil
}

// milliseconds writes a duration as PostgreSQL's timeouts want it.
func milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(1, d.Milliseconds()), 10)
}
