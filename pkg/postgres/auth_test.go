package postgres

import (
	"context"
	"crypto/md5" //nolint:gosec // PostgreSQL's
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// impostor answers where a server should, has no TLS, and asks for passwords by the method that suits it. It refuses all.
type impostor struct {
	net.Listener
	method string // password or md5

	mu    sync.Mutex
	heard []string
}

func newImpostor(t *testing.T, method string) *impostor {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	i := &impostor{Listener: l, method: method}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go i.serve(conn)
		}
	}()
	return i
}

func (i *impostor) serve(conn net.Conn) {
	defer conn.Close()
	backend := pgproto3.NewBackend(conn, conn)
	first, err := backend.ReceiveStartupMessage()
	if _, secure := first.(*pgproto3.SSLRequest); err == nil && secure {
		if _, err = io.WriteString(conn, "N"); err == nil {
			_, err = backend.ReceiveStartupMessage()
		}
	}
	if err != nil {
		return
	}
	if i.method == "md5" {
		backend.Send(&pgproto3.AuthenticationMD5Password{Salt: [4]byte{1, 2, 3, 4}})
		err = errors.Join(backend.Flush(), backend.SetAuthType(pgproto3.AuthTypeMD5Password))
	} else {
		backend.Send(&pgproto3.AuthenticationCleartextPassword{})
		err = errors.Join(backend.Flush(), backend.SetAuthType(pgproto3.AuthTypeCleartextPassword))
	}
	if err != nil {
		return
	}
	if message, err := backend.Receive(); err == nil {
		if said, ok := message.(*pgproto3.PasswordMessage); ok {
			i.mu.Lock()
			i.heard = append(i.heard, said.Password)
			i.mu.Unlock()
		}
	}
	backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: codeWrongPassword, Message: "password authentication failed"})
	_ = backend.Flush()
}

// knows says whether the impostor has heard a password, or what it can try passwords with.
func (i *impostor) knows(user, password string) bool {
	digest := func(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) } //nolint:gosec // PostgreSQL's
	hashed := "md5" + digest(digest(password+user)+"\x01\x02\x03\x04")
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Contains(i.heard, password) || slices.Contains(i.heard, hashed)
}

func (i *impostor) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", i.Addr().String())
}

// Whoever answers in the place of a server, of a node that has been known, or of a pooler, is sent no password by a method that was not
// allowed; and in clear text none at all, since it has no certificate.
func TestNoPasswordIsSentToWhoeverAsksForIt(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	for _, c := range []struct {
		auth   Auth
		method string
		sent   bool
		hint   string
	}{
		{"", "password", false, "postgres.auth: password"},
		{"", "md5", false, "postgres.auth: md5"},
		{AuthMD5, "password", false, "postgres.auth: password"},
		{AuthMD5, "md5", true, "check where the one of"},
		{AuthPassword, "password", false, "postgres.auth: password"},
	} {
		t.Run(string(c.auth)+" "+c.method, func(t *testing.T) {
			i := newImpostor(t, c.method)
			s := a.via(viaScram)
			s.Auth, s.Nodes[0].Dial = c.auth, i.dial
			_, err := s.InUse(ctx, a.current)
			if err == nil || !strings.Contains(rotation.Hint(err), c.hint) || errors.Is(err, rotation.ErrUnavailable) {
				t.Errorf("%v (%s), want an error with %q", err, rotation.Hint(err), c.hint)
			}
			if i.knows(s.Admin.User, a.Password) != c.sent {
				t.Errorf("the admin's password was sent: %v, want %v", !c.sent, c.sent)
			}

			var flipped atomic.Bool // what leads to the server now leads elsewhere
			s = a.via(viaScram)
			dial := s.Nodes[0].Dial
			s.Auth = c.auth
			s.Nodes[0].Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				if flipped.Load() {
					return i.dial(ctx, network, address)
				}
				return dial(ctx, network, address)
			}
			_, err = s.InUse(ctx, a.current)
			a.must("in use", err)
			flipped.Store(true)
			places, err := s.Standing(ctx, a.current)
			a.must("standing", err)
			for _, p := range places {
				if p.Status == rotation.Accepts && c.method == "password" {
					t.Errorf("%v: nothing is proven of it", p)
				}
			}
			if i.knows(a.current.ID, string(a.current.Value.Reveal())) != c.sent {
				t.Errorf("the login's password was sent: %v, want %v: %v", !c.sent, c.sent, places)
			}

			another := newImpostor(t, c.method)
			s = a.via(viaScram)
			s.Auth, s.Doors = c.auth, []Door{{Node: Node{Name: "pooler", Host: "127.0.0.1", Dial: another.dial}}}
			places, err = s.Standing(ctx, a.current)
			a.must("standing with a pooler", err)
			last := places[len(places)-1]
			if !c.sent && (last.Status != rotation.Unproven || !strings.Contains(last.Proof, "postgres.auth")) {
				t.Errorf("%v: nothing is proven of the pooler", last)
			}
			if another.knows(a.current.ID, string(a.current.Value.Reveal())) != c.sent {
				t.Errorf("the login's password was sent to the pooler: %v, want %v", !c.sent, c.sent)
			}
		})
	}
}

// Where a password may be sent in clear text, the server has shown its certificate first.
func TestClearTextTakesACertificate(t *testing.T) {
	for _, c := range []struct {
		auth Auth
		tls  TLS
		want string
	}{
		{"", TLS{Mode: TLSVerifyFull}, "scram-sha-256"},
		{AuthSCRAM, TLS{}, "scram-sha-256"},
		{AuthMD5, TLS{Mode: TLSVerifyFull}, "scram-sha-256,md5"},
		{AuthPassword, TLS{}, "scram-sha-256,md5"},
		{AuthPassword, TLS{Mode: TLSRequire}, "scram-sha-256,md5"},
		{AuthPassword, TLS{Mode: TLSRequire, RootCAs: authority}, "scram-sha-256,md5,password"},
		{AuthPassword, TLS{Mode: TLSVerifyCA}, "scram-sha-256,md5,password"},
		{AuthPassword, TLS{Mode: TLSVerifyFull}, "scram-sha-256,md5,password"},
	} {
		if got := c.auth.methods(c.tls); got != c.want {
			t.Errorf("%q with %q: %s, want %s", c.auth, c.tls.Mode, got, c.want)
		}
		for _, method := range []string{"md5", "password"} {
			if c.auth.allows(method, c.tls) != strings.Contains(c.want, method) {
				t.Errorf("%q with %q allows %s: %v", c.auth, c.tls.Mode, method, c.auth.allows(method, c.tls))
			}
		}
	}
}

// An admin of whom no password is known comes in over the server's Unix socket, where the port asks for one; the logins are proven at the
// port all the same.
func TestAdminWithoutAPassword(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	var locally atomic.Int32
	s := a.via(viaScram)
	s.Admin.Password = rotation.Secret{}
	if _, err := s.InUse(ctx, a.current); err == nil || !strings.Contains(rotation.Hint(err), "postgres.admin.secret") {
		t.Errorf("%v (%s), want the password to be asked for", err, rotation.Hint(err))
	}
	s.Nodes[0].Local = func(ctx context.Context, _, _ string) (net.Conn, error) {
		locally.Add(1)
		return new(net.Dialer).DialContext(ctx, "unix", a.Socket+fmt.Sprintf("/.s.PGSQL.%d", a.Port))
	}
	a.stands(s, a.current, rotation.Accepts, "login as")
	if locally.Load() != 1 {
		t.Errorf("%d connections over the socket, want the admin's", locally.Load())
	}
	known := a.via(viaScram)
	known.Nodes[0].Local = func(context.Context, string, string) (net.Conn, error) {
		t.Error("the socket was dialed, though a password is known")
		return nil, net.ErrClosed
	}
	a.stands(known, a.current, rotation.Accepts, "login as")
	known.Admin.Password = rotation.NewSecret([]byte("wrong"))
	again := a.via(viaScram)
	again.Admin, again.Nodes = known.Admin, known.Nodes
	if _, err := again.InUse(ctx, a.current); code(err) != codeWrongPassword {
		t.Errorf("%v, want the wrong password to be an error", err)
	}
}
