//go:build unix

// Package postgrestest runs real PostgreSQL servers for tests: thrown-away clusters on loopback, made and ended within a
// second or two. They listen on 127.0.0.1 at a free port and on a Unix socket, log every statement, and belong to an
// unprivileged user where the tests run as root.
package postgrestest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotationtest/child"
)

// User is the superuser of every cluster.
const User = "postgres"

// HBA is the pg_hba.conf of a cluster that is given none: the socket is trusted, as in the official image, and everybody
// else needs a password.
const HBA = `
local all         all              trust
local replication all              trust
host  all         all 127.0.0.1/32 scram-sha-256
`

// Config is how to make a cluster. The zero value makes a plain one.
type Config struct {
	// Version is one of [Versions]: the server's programs are then fetched once, into the user's cache folder. Empty is the
	// newest that is installed.
	Version string
	// HBA is the content of pg_hba.conf. Empty is the constant HBA.
	HBA string
	// Settings are added to postgresql.conf, beside those that make a test fast.
	Settings map[string]string
	// Files are put into the data directory, readable by the server alone: certificates and keys.
	Files map[string][]byte
}

// Cluster is a running server.
type Cluster struct {
	Port     int
	Socket   string // the directory of the Unix socket
	Password string // the superuser's
	Log      string // the file of the server's log
	Data     string // the data directory

	bin, dir string
	process  *exec.Cmd
	exited   chan struct{}
}

// ErrMissing says that PostgreSQL, or the version of it that was asked for, cannot be had here.
var ErrMissing = errors.New("PostgreSQL is not there")

var errNotInstalled = fmt.Errorf("%w: apt-get install postgresql-15, or point POSTGRES_BIN at its programs", ErrMissing)

// fetchPatience is how long it may take to fetch one version.
const fetchPatience = 5 * time.Minute

// programs finds the server's programs, and has them where the server's user may run them.
func (c *Cluster) programs(version string) (err error) {
	if version == "" {
		c.bin, err = binaries()
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), fetchPatience)
	defer cancel()
	dir, err := Fetch(ctx, version, func(what string) { fmt.Fprintln(os.Stderr, what) })
	if err != nil {
		return err
	}
	own := filepath.Join(c.dir, "programs")
	c.bin = filepath.Join(own, "bin")
	return mirror(dir, own)
}

// binaries is the folder of PostgreSQL's programs: POSTGRES_BIN, or where Debian puts the newest version.
func binaries() (string, error) {
	if bin := os.Getenv("POSTGRES_BIN"); bin != "" {
		return bin, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errNotInstalled
	}
	version := func(path string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
		return n
	}
	newest := slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })
	return filepath.Dir(newest), nil
}

// Start makes a cluster and waits until it answers. The caller stops it.
func Start(c Config) (*Cluster, error) {
	cl := &Cluster{Password: rand.Text()}
	if err := cl.folder(); err != nil {
		return nil, err
	}
	err := cl.programs(c.Version)
	if err == nil {
		err = cl.initdb(c)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(cl.dir))
	}
	if err := cl.start(); err != nil {
		return nil, errors.Join(err, cl.Stop())
	}
	return cl, nil
}

// For is Start for one test, which it skips where PostgreSQL is not installed; with CI set, it fails instead.
func For(t testing.TB, c Config) *Cluster {
	t.Helper()
	cl, err := Start(c)
	return cl.during(t, err)
}

// StandbyFor is Standby for one test, with the same.
func (c *Cluster) StandbyFor(t testing.TB) *Cluster {
	t.Helper()
	s, err := c.Standby()
	return s.during(t, err)
}

// during stops a cluster when its test ends.
func (c *Cluster) during(t testing.TB, err error) *Cluster {
	t.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv("CI") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// folder makes a place that the server's user may write to.
func (c *Cluster) folder() (err error) {
	if c.dir, err = os.MkdirTemp("", "postgrestest"); err != nil {
		return err
	}
	c.Data, c.Socket, c.Log = filepath.Join(c.dir, "data"), c.dir, filepath.Join(c.dir, "log")
	if uid, gid, ok := owner(); ok {
		return os.Chown(c.dir, uid, gid)
	}
	return nil
}

func (c *Cluster) initdb(config Config) error {
	secret := filepath.Join(c.dir, "password")
	if err := os.WriteFile(secret, []byte(c.Password+"\n"), 0o644); err != nil {
		return err
	}
	defer os.Remove(secret)
	err := c.run("initdb", "--pgdata="+c.Data, "--username="+User, "--pwfile="+secret, "--encoding=UTF8", "--locale=C",
		"--no-sync", "--auth=trust")
	if err != nil {
		return err
	}
	hba := config.HBA
	if hba == "" {
		hba = HBA
	}
	files := map[string][]byte{"pg_hba.conf": []byte(hba)}
	maps.Copy(files, config.Files)
	for name, content := range files {
		if err := c.write(name, content); err != nil {
			return err
		}
	}
	return c.Configure(config.Settings)
}

// write puts a file into the data directory.
func (c *Cluster) write(name string, content []byte) error {
	path := filepath.Join(c.Data, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	if uid, gid, ok := owner(); ok {
		return os.Chown(path, uid, gid)
	}
	return nil
}

// Configure adds settings to postgresql.conf; they hold from the next start or reload on.
func (c *Cluster) Configure(settings map[string]string) error {
	f, err := os.OpenFile(filepath.Join(c.Data, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for name, value := range settings {
		_, _ = fmt.Fprintf(f, "%s = '%s'\n", name, strings.ReplaceAll(value, "'", "''"))
	}
	return f.Close()
}

// run runs one of PostgreSQL's programs as the server's user.
func (c *Cluster) run(program string, args ...string) error {
	cmd := c.command(program, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", program, err, out)
	}
	return nil
}

func (c *Cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = attributes()
	return cmd
}

// start runs the server and waits until it answers, trying another port if somebody was faster.
func (c *Cluster) start() (err error) {
	for range 3 {
		if c.Port, err = freePort(); err != nil {
			return err
		}
		if err = c.Resume(); err == nil {
			return nil
		}
	}
	return err
}

// Resume runs the server again after Halt or Kill, at the same port.
func (c *Cluster) Resume() error {
	log, err := os.OpenFile(c.Log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	c.process = c.command("postgres", "-D", c.Data,
		"-c", "listen_addresses=127.0.0.1", "-c", "port="+strconv.Itoa(c.Port), "-c", "unix_socket_directories="+c.Socket,
		"-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=60", "-c", "autovacuum=off",
		"-c", "max_prepared_transactions=10", "-c", "log_statement=all", "-c", "log_line_prefix=%m [%p] %u@%d %h ",
		"-c", "log_min_duration_statement=0")
	c.process.Stdout, c.process.Stderr = log, log
	c.exited = make(chan struct{})
	if err := child.Spawn(c.process, c.exited, syscall.SIGQUIT); err != nil {
		return err
	}
	return c.answers()
}

func (c *Cluster) answers() error {
	var err error
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		var conn *pgx.Conn
		if conn, err = c.Admin(context.Background(), "postgres"); err == nil {
			return conn.Close(context.Background())
		}
		select {
		case <-c.exited:
			text, _ := os.ReadFile(c.Log)
			return fmt.Errorf("the server ended at once: %s", bytes.TrimSpace(text))
		case <-time.After(10 * time.Millisecond):
		}
	}
	return fmt.Errorf("the server does not answer: %w", err)
}

// Admin connects as the superuser by the socket.
func (c *Cluster) Admin(ctx context.Context, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(fmt.Sprintf("host=%s port=%d user=%s dbname='%s' sslmode=disable", c.Socket, c.Port, User,
		strings.ReplaceAll(strings.ReplaceAll(database, `\`, `\\`), `'`, `\'`)))
	if err != nil {
		return nil, err
	}
	return pgx.ConnectConfig(ctx, config)
}

// Exec runs SQL as the superuser.
func (c *Cluster) Exec(t testing.TB, database string, sql ...string) {
	t.Helper()
	conn, err := c.Admin(context.Background(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, one := range sql {
		if _, err := conn.Exec(context.Background(), one, pgx.QueryExecModeSimpleProtocol); err != nil {
			t.Fatalf("%s: %v", one, err)
		}
	}
}

// Value runs a query for one text as the superuser.
func (c *Cluster) Value(t testing.TB, database, query string, args ...any) (value string) {
	t.Helper()
	conn, err := c.Admin(context.Background(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(context.Background(), query, args...).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// Program is the path of one of PostgreSQL's programs.
func (c *Cluster) Program(name string) string { return filepath.Join(c.bin, name) }

// Dial connects from a source address, such as 127.0.0.7: pg_hba.conf can tell paths apart by it.
func Dial(from string) func(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	return d.DialContext
}

// Reload has the server read its files again.
func (c *Cluster) Reload() error { return c.process.Process.Signal(syscall.SIGHUP) }

// Halt ends the server in order, and keeps its data.
func (c *Cluster) Halt() error { return c.end(syscall.SIGINT) }

// Kill ends the server as a crash would, and keeps its data.
func (c *Cluster) Kill() error { return c.end(syscall.SIGQUIT) }

func (c *Cluster) end(sig syscall.Signal) error {
	if c.process == nil || c.process.Process == nil {
		return nil
	}
	_ = c.process.Process.Signal(sig)
	select {
	case <-c.exited:
		return nil
	case <-time.After(10 * time.Second):
		_ = c.process.Process.Kill()
		<-c.exited
		return fmt.Errorf("the server in %s had to be killed", c.Data)
	}
}

// Stop ends the server and removes all that it had.
func (c *Cluster) Stop() error { return errors.Join(c.Halt(), os.RemoveAll(c.dir)) }

// Standby makes a standby that replays this cluster, and waits until it answers. The caller stops it. It needs
// the program pg_basebackup.
func (c *Cluster) Standby() (*Cluster, error) {
	if _, err := os.Stat(filepath.Join(c.bin, "pg_basebackup")); err != nil {
		return nil, fmt.Errorf("%w: no pg_basebackup in %s", ErrMissing, c.bin)
	}
	s := &Cluster{bin: c.bin, Password: c.Password}
	if err := s.folder(); err != nil {
		return nil, err
	}
	err := s.run("pg_basebackup", "--pgdata="+s.Data, "--write-recovery-conf", "--checkpoint=fast", "--no-sync",
		"--wal-method=stream", "--host="+c.Socket, "--port="+strconv.Itoa(c.Port), "--username="+User)
	if err == nil {
		err = s.start()
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
