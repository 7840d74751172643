//go:build unix

// Package redistest runs real Redis servers for tests: thrown-away processes on loopback, each with a directory of its own, made
// and ended within a fraction of a second.
package redistest

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotationtest/child"
)

// Config is how to start a server. The zero value keeps its users in a configuration file.
type Config struct {
	ACLFile  bool     // users are kept in an ACL file
	Volatile bool     // users are kept nowhere
	Users    []string // as in an ACL file: "user backend on …"
	Settings []string // more lines of the configuration file: "maxclients 20"
	TLS      *TLS     // it takes nothing but TLS
	Sentinel bool     // it is a Sentinel
	Password string   // of the user default; "" makes one
	Program  string   // the server; "" is redis-server
}

func (c Config) program() string {
	if c.Program == "" {
		return "redis-server"
	}
	return c.Program
}

// TLS is what a server is secured with, as PEM. It trusts whoever has signed its own certificate.
type TLS struct {
	Certificate, Key []byte
	Clients          bool // they have to show a certificate too; [Server.Client] shows the server's own
}

// Server is a running server.
type Server struct {
	Port     int
	Password string // of the user default, who may do anything
	Dir      string // its directory
	Log      string // the file of its log

	config  Config
	process *exec.Cmd
	exited  chan struct{}
}

// ErrMissing says that Redis cannot be had here.
var ErrMissing = errors.New("redis is not there: apt-get install redis-server redis-sentinel")

// For starts a server for one test, which it skips where Redis is not installed; with CI set, it fails instead.
func For(t testing.TB, c Config) *Server {
	t.Helper()
	s, err := Start(c)
	if errors.Is(err, ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Start starts a server and waits until it answers. The caller stops it.
func Start(c Config) (*Server, error) {
	if _, err := exec.LookPath(c.program()); err != nil {
		return nil, ErrMissing
	}
	dir, err := os.MkdirTemp("", "redistest")
	if err != nil {
		return nil, err
	}
	s := &Server{Password: c.Password, Dir: dir, Log: filepath.Join(dir, "log"), config: c}
	if s.Password == "" {
		s.Password = rand.Text()
	}
	for range 3 { // somebody may take the port in between
		if s.Port, err = freePort(); err != nil {
			break
		}
		if err = s.write(); err != nil {
			break
		}
		if err = s.Resume(); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, s.Stop())
}

// Hash is a password as servers keep it.
func Hash(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

// write makes the files that the server starts from.
func (s *Server) write() error {
	users := append([]string{"user default on #" + Hash(s.Password) + " ~* &* +@all"}, s.config.Users...)
	lines := append([]string{
		"port " + strconv.Itoa(s.Port), "bind 127.0.0.1", "dir " + s.Dir, "save ''", "acllog-max-len 128", "repl-diskless-sync-delay 0",
	}, s.config.Settings...)
	switch {
	case s.config.Sentinel, s.config.ACLFile:
		if err := s.file("users.acl", strings.Join(users, "\n")+"\n"); err != nil {
			return err
		}
		lines = append(lines, "aclfile "+filepath.Join(s.Dir, "users.acl"))
	default:
		lines = append(lines, users...)
	}
	if t := s.config.TLS; t != nil {
		lines[0] = "port 0"
		lines = append(lines, "tls-port "+strconv.Itoa(s.Port), "tls-auth-clients "+yes(t.Clients), "tls-replication yes", "tls-cluster yes",
			"tls-cert-file "+filepath.Join(s.Dir, "tls.crt"), "tls-key-file "+filepath.Join(s.Dir, "tls.key"), "tls-ca-cert-file "+filepath.Join(s.Dir, "tls.crt"))
		if err := errors.Join(s.file("tls.crt", string(t.Certificate)), s.file("tls.key", string(t.Key))); err != nil {
			return err
		}
	}
	return s.file("redis.conf", strings.Join(lines, "\n")+"\n")
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (s *Server) file(name, content string) error {
	return os.WriteFile(filepath.Join(s.Dir, name), []byte(content), 0o600)
}

// Resume runs the server again after Halt or Kill, at the same port and from the same files. A volatile one knows what it was first
// started with.
func (s *Server) Resume() error {
	log, err := os.OpenFile(s.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{filepath.Join(s.Dir, "redis.conf")}
	if s.config.Volatile {
		text, err := os.ReadFile(args[0])
		if err != nil {
			return err
		}
		args = []string{"-"} // from its input: there is no file that it could write to
		s.process = exec.Command(s.config.program(), args...)
		s.process.Stdin = bytes.NewReader(text)
	} else {
		if s.config.Sentinel {
			args = append(args, "--sentinel")
		}
		s.process = exec.Command(s.config.program(), args...)
	}
	s.process.Dir, s.process.Stdout, s.process.Stderr = s.Dir, log, log
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.exited = make(chan struct{})
	if err := child.Spawn(s.process, s.exited, syscall.SIGKILL); err != nil {
		return err
	}
	return s.answers()
}

func (s *Server) answers() (err error) {
	admin := s.Client(Default, s.Password)
	defer admin.Close()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		var conn net.Conn
		if conn, err = net.Dial("tcp", s.Address()); err == nil {
			_ = conn.Close()
			if err = admin.Ping(context.Background()).Err(); err == nil {
				return nil
			}
		}
		select {
		case <-s.exited:
			text, _ := os.ReadFile(s.Log)
			return fmt.Errorf("the server ended at once: %s", bytes.TrimSpace(text))
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("the server does not answer: %w", err)
}

// Default is the user that may do anything.
const Default = "default"

// Address is host:port.
func (s *Server) Address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.Port)) }

// Client is a client of the server, with nothing retried. The caller closes it.
func (s *Server) Client(user, password string) *redis.Client {
	o := &redis.Options{
		Addr: s.Address(), Username: user, Password: password, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true, Protocol: 2,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if t := s.config.TLS; t != nil {
		o.TLSConfig = insecure.Clone()
		if pair, err := tls.X509KeyPair(t.Certificate, t.Key); err == nil {
			o.TLSConfig.Certificates = []tls.Certificate{pair}
		}
	}
	return redis.NewClient(o)
}

// Do runs a command as the user default.
func (s *Server) Do(t testing.TB, args ...any) any {
	t.Helper()
	admin := s.Client(Default, s.Password)
	defer admin.Close()
	answer, err := admin.Do(context.Background(), args...).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		t.Fatalf("%v: %v", args[:min(2, len(args))], err)
	}
	return answer
}

// Lines is the answer of a command that is a list of texts.
func (s *Server) Lines(t testing.TB, args ...any) (all []string) {
	t.Helper()
	list, _ := s.Do(t, args...).([]any)
	for _, one := range list {
		all = append(all, fmt.Sprint(one))
	}
	return all
}

// User is the line of ACL LIST about a user; "" where there is none.
func (s *Server) User(t testing.TB, name string) string {
	t.Helper()
	for _, line := range s.Lines(t, "ACL", "LIST") {
		if strings.HasPrefix(line, "user "+name+" ") {
			return line
		}
	}
	return ""
}

// Restart ends the server in order and runs it again from what it has saved.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	if err := s.Halt(); err != nil {
		t.Fatal(err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
}

// Pause has the server answer nothing; the function that it gives has it go on.
func (s *Server) Pause(t testing.TB) (resume func()) {
	t.Helper()
	if err := s.process.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	return func() { _ = s.process.Process.Signal(syscall.SIGCONT) }
}

// Halt ends the server in order, and keeps its files.
func (s *Server) Halt() error { return s.end(syscall.SIGTERM) }

// Kill ends the server as a crash would, and keeps its files.
func (s *Server) Kill() error { return s.end(syscall.SIGKILL) }

func (s *Server) end(sig syscall.Signal) error {
	if s.process == nil || s.process.Process == nil {
		return nil
	}
	_ = s.process.Process.Signal(syscall.SIGCONT)
	_ = s.process.Process.Signal(sig)
	select {
	case <-s.exited:
		return nil
	case <-time.After(10 * time.Second):
		_ = s.process.Process.Kill()
		<-s.exited
		return fmt.Errorf("the server in %s had to be killed", s.Dir)
	}
}

// Stop ends the server and removes all that it had.
func (s *Server) Stop() error { return errors.Join(s.Halt(), os.RemoveAll(s.Dir)) }

func freePort() (int, error) {
	for range 20 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, err
		}
		port := l.Addr().(*net.TCPAddr).Port
		if err := l.Close(); err != nil {
			return 0, err
		}
		if port < 55000 { // a member of a cluster listens 10000 ports further up too
			return port, nil
		}
	}
	return 0, errors.New("no free port below 55000")
}
