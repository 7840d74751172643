package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Nothing of an operator's own settings for psql reaches a connection: they are about another server.
func TestEnvironmentOfPsqlIsNotLookedAt(t *testing.T) {
	a := newApp(t)
	folder := t.TempDir()
	services := filepath.Join(folder, "services")
	a.must("services", os.WriteFile(services, []byte("[mine]\nhost=nowhere.invalid\nport=1\nuser=me\noptions=-c role=nobody\n"), 0o600))
	a.must("passfile", os.WriteFile(filepath.Join(folder, ".pgpass"), []byte("*:*:*:*:wrong\n"), 0o600))
	for name, value := range map[string]string{
		"HOME": folder, "PGHOST": "nowhere.invalid", "PGPORT": "nonsense", "PGUSER": "me", "PGPASSWORD": "wrong", "PGDATABASE": "mine",
		"PGSSLMODE": "nonsense", "PGSSLROOTCERT": "/nowhere", "PGSSLCERT": "/nowhere", "PGSSLKEY": "/nowhere", "PGSSLNEGOTIATION": "direct",
		"PGSSLCERTMODE": "nonsense", "PGOPTIONS": "-c role=nobody", "PGAPPNAME": "mine", "PGTZ": "nonsense", "PGCONNECT_TIMEOUT": "nonsense",
		"PGTARGETSESSIONATTRS": "standby", "PGREQUIREAUTH": "none", "PGCHANNELBINDING": "require", "PGMINPROTOCOLVERSION": "9.9",
		"PGMAXPROTOCOLVERSION": "nonsense", "PGSERVICE": "mine", "PGSERVICEFILE": services, "PGPASSFILE": filepath.Join(folder, ".pgpass"),
	} {
		t.Setenv(name, value)
	}
	a.server.TLS.Mode = TLSDisable // so that channel binding, if it were taken from there, would fail
	a.stands(a.server, a.current, rotation.Accepts, "login")
	t.Setenv("PGSERVICE", "another")
	if _, err := a.via(viaScram).InUse(context.Background(), a.current); err == nil || rotation.Hint(err) != "unset PGSERVICE" {
		t.Errorf("a service that does not exist: %v (%s)", err, rotation.Hint(err))
	}
}

func TestErrorsOfAFirstUserSayWhatToDo(t *testing.T) {
	a := newApp(t)
	refused, err := net.Listen("tcp", "127.0.0.1:0")
	a.must("listen", err)
	_ = refused.Close()
	secret := "the admin's very secret password"
	for _, c := range []struct {
		name      string
		change    func(*Server)
		want      string
		hint      string
		retryable bool
	}{
		{"wrong password", func(s *Server) { s.Admin.Password = rotation.NewSecret([]byte(secret)) },
			"password authentication failed", "check where the one of \"postgres\" comes from", false},
		{"no such admin", func(s *Server) { s.Admin.User = "nobody here" }, "password authentication failed", "check where", false},
		{"no such database", func(s *Server) { s.Admin.Database = "nope" }, `database "nope" does not exist`, "name a database", false},
		{"no line in pg_hba.conf", func(s *Server) {
			s.Admin = a.limitedAdmin("")
			s.Admin.Database, s.Nodes[0].Dial = a.database, a.via(viaClosed).Nodes[0].Dial
		}, "no pg_hba.conf entry", "see pg_hba.conf", false},
		{"nobody listens", func(s *Server) { s.Nodes[0].Port = uint16(refused.Addr().(*net.TCPAddr).Port) },
			"connection refused", "on which port it listens", true},
		{"a dialer that fails", func(s *Server) {
			s.Nodes[0].Dial = func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no such pod") }
		}, "no such pod", "", true},
		{"no node", func(s *Server) { s.Nodes = nil }, "no node", "", false},
		{"no TLS mode", func(s *Server) { s.TLS.Mode = "allow" }, `TLS mode "allow"`, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := a.via(viaScram)
			c.change(s)
			_, err := s.InUse(context.Background(), a.current)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(rotation.Hint(err), c.hint) {
				t.Errorf("%v (%s), want %q (%q)", err, rotation.Hint(err), c.want, c.hint)
			}
			if errors.Is(err, rotation.ErrUnavailable) != c.retryable {
				t.Errorf("%v: retryable is %v, want %v", err, !c.retryable, c.retryable)
			}
			for _, secret := range []string{secret, a.Password, string(s.Admin.Password.Reveal())} {
				if text := everything(err); strings.Contains(text, secret) {
					t.Errorf("a password shows in %s", text)
				}
			}
		})
	}
}

// turnedAway is a connection that a tunnel opened to a port where nobody listens: that is said by its first Read.
type turnedAway struct{ net.Conn }

func (turnedAway) Read([]byte) (int, error)    { return 0, syscall.ECONNREFUSED }
func (turnedAway) Write(p []byte) (int, error) { return len(p), nil }

// A tunnel that is told of a refused port may go to the server's socket instead: it is asked once more, with TLS and without.
func TestARefusedTunnelIsAskedOnceMore(t *testing.T) {
	a := newApp(t)
	for _, mode := range []TLSMode{TLSPrefer, TLSDisable} {
		s := a.via(viaScram)
		s.TLS.Mode = mode
		dial := s.Nodes[0].Dial
		var dials atomic.Int32
		if dial == nil {
			dial = new(net.Dialer).DialContext
		}
		s.Nodes[0].Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(ctx, network, address)
			if dials.Add(1) == 1 && err == nil {
				return turnedAway{conn}, nil
			}
			return conn, err
		}
		if _, err := s.InUse(t.Context(), a.current); err != nil || dials.Load() < 2 {
			t.Errorf("%s: %v after %d dials", mode, err, dials.Load())
		}
	}
}

// everything is all that any printer could show of an error and what it wraps.
func everything(err error) string {
	if err == nil {
		return ""
	}
	text := fmt.Sprintf("%v\n%+v\n%#v\n%q\n", err, err, err, err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		text += everything(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			text += everything(one)
		}
	}
	return text
}

// answering is a server that answers every start of a session in one way.
func answering(t *testing.T, answer func(net.Conn)) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				answer(conn)
			}()
		}
	}()
	return &Server{
		Nodes: []Node{{Name: "pg-0", Host: "127.0.0.1", Port: uint16(l.Addr().(*net.TCPAddr).Port)}},
		Admin: Admin{User: "postgres"}, Timeout: 2 * time.Second,
	}
}

func refusing(t *testing.T, code, message string) *Server {
	return answering(t, func(conn net.Conn) {
		backend := pgproto3.NewBackend(conn, conn)
		start, err := backend.ReceiveStartupMessage()
		if _, wantsTLS := start.(*pgproto3.SSLRequest); wantsTLS && err == nil {
			_, _ = conn.Write([]byte("N"))
			_, err = backend.ReceiveStartupMessage()
		}
		if err == nil {
			backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: message})
			_ = backend.Flush()
		}
	})
}

func TestServerThatStartsStopsOrIsFullMayBeTriedAgain(t *testing.T) {
	for code, message := range map[string]string{
		"57P03": "the database system is starting up", "53300": "sorry, too many clients already",
		"57P01": "terminating connection due to administrator command",
	} {
		_, err := refusing(t, code, message).Standing(context.Background(), rotation.Credential{ID: "app"})
		if !errors.Is(err, rotation.ErrUnavailable) || !strings.Contains(err.Error(), message) {
			t.Errorf("%v, want that %q may be tried again", err, message)
		}
	}
}

func TestSomethingElseThanPostgreSQLIsSaid(t *testing.T) {
	s := answering(t, func(conn net.Conn) { _, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) })
	_, err := s.Standing(context.Background(), rotation.Credential{ID: "app"})
	if err == nil || !strings.Contains(err.Error(), "is not PostgreSQL") || errors.Is(err, rotation.ErrUnavailable) {
		t.Errorf("%v, want that it is something else, for good", err)
	}
}

// A tunnel that is gone without a word ends in an error within the deadline.
func TestSilentServerDoesNotHang(t *testing.T) {
	s := answering(t, func(conn net.Conn) { _, _ = conn.Read(make([]byte, 1)); select {} })
	s.Timeout = 100 * time.Millisecond
	if _, err := s.Standing(context.Background(), rotation.Credential{ID: "app"}); !errors.Is(err, rotation.ErrUnavailable) {
		t.Errorf("%v, want that it may be tried again", err)
	}
}

func TestTunnelThatFallsSilentInMidQueryDoesNotHang(t *testing.T) {
	a := newApp(t)
	dial := a.server.Nodes[0].Dial
	silent := make(chan struct{})
	a.server.TLS.Mode = TLSDisable
	a.server.Nodes[0].Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return deaf{conn, silent}, err
	}
	a.uses(a.server, a.current)
	a.server.Timeout = 300 * time.Millisecond
	close(silent)
	if _, err := a.server.InUse(context.Background(), a.current); !errors.Is(err, rotation.ErrUnavailable) {
		t.Errorf("%v, want that it may be tried again", err)
	}
}

// deaf is a connection that loses what is written from some moment on.
type deaf struct {
	net.Conn
	from chan struct{}
}

func (d deaf) Write(p []byte) (int, error) {
	select {
	case <-d.from:
		return len(p), nil
	default:
		return d.Conn.Write(p)
	}
}

func TestAdminConnectionIsKeptAndMadeAnewWhenItDied(t *testing.T) {
	a := newApp(t)
	dials := 0
	dial := a.server.Nodes[0].Dial
	a.server.Nodes[0].Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return dial(ctx, network, address)
	}
	for range 3 {
		a.uses(a.server, a.current)
	}
	if dials != 1 {
		t.Errorf("%d connections were made for three calls", dials)
	}
	a.sql("postgres", fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s", literal(Application)))
	a.uses(a.server, a.current)
	a.must("close", a.server.Close())
	a.uses(a.server, a.current)
	if dials != 3 {
		t.Errorf("%d connections were made, want one more after each end", dials)
	}
}

// Operators who are told different databases meet in the same one: advisory locks are per database.
func TestOperatorsMeetInOneDatabase(t *testing.T) {
	a := newApp(t)
	c := a.generated()
	letGo := a.stalledInstall(c, 10*time.Second)
	other := a.via(viaScram)
	other.Admin.Database, other.LockWait = a.database, 100*time.Millisecond
	if _, err := other.Standing(context.Background(), c); !errors.Is(err, rotation.ErrUnavailable) {
		t.Errorf("%v, want it to wait for the operator in the other database", err)
	}
	a.must("install", letGo())
}

func TestTLS(t *testing.T) {
	a := newApp(t)
	const secured = "SELECT ssl::text FROM pg_stat_ssl WHERE pid = $1"
	for _, c := range []struct {
		name   string
		tls    TLS
		secure bool
		fails  string
	}{
		{"prefer", TLS{}, true, ""},
		{"disable", TLS{Mode: TLSDisable}, false, ""},
		{"require", TLS{Mode: TLSRequire}, true, ""},
		{"require with a CA", TLS{Mode: TLSRequire, RootCAs: authority}, true, ""},
		{"verify-ca", TLS{Mode: TLSVerifyCA, RootCAs: authority}, true, ""},
		{"verify-ca, another CA", TLS{Mode: TLSVerifyCA}, false, "unknown authority"},
		{"verify-full", TLS{Mode: TLSVerifyFull, RootCAs: authority, ServerName: "db.example"}, true, ""},
		{"verify-full, another name", TLS{Mode: TLSVerifyFull, RootCAs: authority}, false, "127.0.0.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := a.via(viaScram)
			s.TLS = c.tls
			places, err := s.Standing(context.Background(), a.current)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) || errors.Is(err, rotation.ErrUnavailable) {
					t.Errorf("%v, want %q for good", err, c.fails)
				}
				return
			}
			a.must("standing", err)
			if places[0].Status != rotation.Accepts {
				t.Errorf("%s (%s)", places[0].Status, places[0].Proof)
			}
			if got := a.Value(t, "postgres", secured, s.admin["pg-0"].conn.PgConn().PID()) == "true"; got != c.secure {
				t.Errorf("secured is %v, want %v", got, c.secure)
			}
		})
	}
}

// hungUp is a connection whose other end has said something and closed it: nothing can be written to it any more.
type hungUp struct {
	net.Conn
	said *strings.Reader
}

func (hungUp) Write([]byte) (int, error) {
	return 0, &net.OpError{Op: "write", Err: syscall.ECONNRESET}
}
func (h hungUp) Read(p []byte) (int, error) {
	if h.said.Len() == 0 {
		return 0, &net.OpError{Op: "read", Err: syscall.ECONNRESET}
	}
	return h.said.Read(p)
}

// A server that turns somebody away says why and hangs up. Whether that is found while writing to it or while reading from it makes
// no difference to what is told.
func TestLastWordsOfAServerAreHeard(t *testing.T) {
	fields := "SFATAL\x00C53300\x00Msorry, too many clients already\x00\x00"
	for said, want := range map[string]string{
		"E\x00\x00\x00" + string(rune(len(fields)+4)) + fields: "too many clients",
		"": "connection reset by peer",
	} {
		s := &Server{Admin: Admin{User: "postgres"}, TLS: TLS{Mode: TLSDisable}, Nodes: []Node{{Name: "pg-0", Dial: func(context.Context, string, string) (net.Conn, error) {
			mine, _ := net.Pipe()
			return hungUp{mine, strings.NewReader(said)}, nil
		}}}}
		_, err := s.InUse(t.Context(), rotation.Credential{V: 1, ID: "backend"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
