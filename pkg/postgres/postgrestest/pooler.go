//go:build unix

package postgrestest

import (
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

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotationtest/child"
)

// pgbouncer is where Debian puts it: not on the path of everybody.
const pgbouncer = "/usr/sbin/pgbouncer"

// Pooler is a PgBouncer in front of a cluster, for every database under its own name.
type Pooler struct {
	Port int

	cluster *Cluster
	dir     string
	process *exec.Cmd
	exited  chan struct{}
}

// Account is a line of a pooler's auth_file. Without a password it has the verifier that the cluster has stored.
type Account struct{ Name, Password string }

// PoolerFor starts one for a test, with settings such as auth_type beside the necessary ones, and with accounts in its
// auth_file. It is skipped where PgBouncer is not installed; with CI set, the test fails instead.
func (c *Cluster) PoolerFor(t testing.TB, settings map[string]string, known ...Account) *Pooler {
	t.Helper()
	if _, err := os.Stat(pgbouncer); err != nil && os.Getenv("CI") == "" {
		t.Skip("PgBouncer is not installed: apt-get install pgbouncer")
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	p := &Pooler{Port: port, cluster: c, dir: filepath.Join(c.dir, "pgbouncer-"+strconv.Itoa(port)), exited: make(chan struct{})}
	p.write(t, settings, known)
	p.process = exec.Command(pgbouncer, "-q", filepath.Join(p.dir, "ini"))
	p.process.SysProcAttr = attributes()
	if err := child.Spawn(p.process, p.exited, syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.process.Process.Signal(syscall.SIGTERM)
		<-p.exited
	})
	p.answers(t)
	return p
}

func (p *Pooler) write(t testing.TB, settings map[string]string, known []Account) {
	t.Helper()
	var ini strings.Builder
	fmt.Fprintf(&ini, "[databases]\n* = host=127.0.0.1 port=%d\n[pgbouncer]\n", p.cluster.Port)
	all := map[string]string{
		"listen_addr": "127.0.0.1", "listen_port": strconv.Itoa(p.Port), "unix_socket_dir": "", "auth_type": "scram-sha-256",
		"auth_file": filepath.Join(p.dir, "users"), "logfile": filepath.Join(p.dir, "log"),
	}
	for name, value := range settings {
		all[name] = value
	}
	for name, value := range all {
		fmt.Fprintf(&ini, "%s = %s\n", name, value)
	}
	if err := os.Mkdir(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "ini"), []byte(ini.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	p.users(t, known)
	if uid, gid, ok := owner(); ok {
		if err := os.Chown(p.dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
}

// users writes the auth_file.
func (p *Pooler) users(t testing.TB, known []Account) {
	t.Helper()
	var lines string
	for _, a := range known {
		if a.Password == "" {
			a.Password = p.cluster.Value(t, "postgres", `SELECT rolpassword FROM pg_authid WHERE rolname = $1`, a.Name)
		}
		lines += fmt.Sprintf("\"%s\" \"%s\"\n", strings.ReplaceAll(a.Name, `"`, `""`), a.Password)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "users"), []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Know has it read an auth_file with these accounts, some moment from now.
func (p *Pooler) Know(t testing.TB, known ...Account) {
	t.Helper()
	p.users(t, known)
	if err := p.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
}

func (p *Pooler) answers(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		conn, err := net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(p.Port))
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-p.exited:
			text, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			t.Fatalf("PgBouncer ended at once: %s", text)
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Fatal("PgBouncer does not answer")
}
