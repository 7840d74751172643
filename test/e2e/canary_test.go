package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// No password and no verifier, old or new, shows anywhere, in any form, at -v=9: not in what the runs say, not in the
// server's log with every statement logged, nor in its statistics, not in the API server's audit log, events or other
// objects, not in a run's arguments, environment or files. Each place is first shown to be one in which something is found.
func TestSecretsShowNowhere(t *testing.T) {
	long(t)
	w := newWorld(t)
	for _, s := range []string{
		`ALTER SYSTEM SET log_statement = 'all'`, `SELECT pg_reload_conf()`,
		`ALTER DATABASE "demo-platform" SET log_statement = 'all'`, `ALTER DATABASE "Audit-Log" SET log_statement = 'all'`,
	} {
		w.superuser(s)
	}
	c := newCanary(w)
	c.run("restricted", 0, "postgres", "--yes", "--soak=1s", "-v=9")
	c.run("admin", 3, "postgres", "--yes", "--again", "--until=install", "--via=exec", "-v=9", "-o", "json")
	w.deadline(20)
	w.rejectFromPods("backend_v3")
	c.run("restricted", 1, "postgres", "--yes", "--soak=1s", "-v=9") // the rollout fails, and is taken back
	w.acceptFromPods()
	w.deadline(600)
	c.run("restricted", 3, "postgres", "--yes", "--until=rollout", "--via=direct", "--config", w.direct(w.platform.PostgreSQL), "-v=9")
	c.run("restricted", 0, "status", "postgres", "-v=9", "-o", "yaml")
	c.run("restricted", 0, "status", "postgres", "-v=9", "-o", "timeline")
	c.run("restricted", 0, "abort", "postgres", "--yes", "--soak=1s", "-v=9")
	c.run("restricted", 0, "history", "-v=9", "-o", "json")
	c.run("admin", 0, "status", "-A", "-v=9", "-o", "json")
	if len(c.secrets) < 10 {
		t.Fatalf("only %d secrets were learned", len(c.secrets))
	}
	c.search(c.places())
}

// search looks for every value in every place. Each is first shown to be one in which something is found.
func (c *canary) search(places []place) {
	c.Helper()
	for _, p := range places {
		if !strings.Contains(p.text, p.holds) {
			c.Errorf("%s: %d bytes, and not even %q is found there: the search proves nothing", p.name, len(p.text), p.holds)
		}
		for value, name := range c.secrets {
			if found := leaked(p.text, value); found != nil {
				c.Errorf("%s shows %s: %v", p.name, name, found)
			}
		}
	}
}

// canary watches runs, and knows the values that must not be seen.
type canary struct {
	*world
	secrets map[string]string // what each value is
	home    string            // the directory where a run may put files
	audit   string
	from    int64 // where the audit log ended before
	out     map[string]*bytes.Buffer
	seen    map[string]map[string]bool // texts seen in a place
}

// place is somewhere a secret could show, and what is there for certain.
type place struct{ name, text, holds string }

func newCanary(w *world) *canary {
	w.Helper()
	c := &canary{
		world: w, secrets: map[string]string{}, home: w.TempDir(), out: map[string]*bytes.Buffer{"stdout": {}, "stderr": {}},
		audit: filepath.Join(filepath.Dir(w.kubeconfig), "logs", "audit.log"), seen: map[string]map[string]bool{"arguments": {}, "environment": {}, "files": {}},
	}
	info, err := os.Stat(c.audit)
	w.must("looking at the audit log", err)
	c.from = info.Size()
	w.must("leaving a file", os.WriteFile(filepath.Join(c.home, "left"), []byte("a file of the test"), 0o600))
	c.learn()
	return c
}

// learn takes down all values that are there now: those of the Secrets, and the verifiers that the server stores.
func (c *canary) learn() {
	c.Helper()
	for _, name := range []string{
		"postgresql-credentials", "postgresql-credentials-rotate", "postgresql-admin", "redis-credentials", "redis-credentials-rotate", "redis-admin",
		"jwt-keys", "jwt-keys-rotate",
	} {
		if s := c.secret(name); s != nil {
			for key, value := range s.Data {
				c.know(name+" "+key, string(value))
			}
		}
	}
	conn := c.admin("postgres")
	defer conn.Close(c.ctx)
	rows, err := conn.Query(c.ctx, `SELECT rolname || E'\t' || rolpassword FROM pg_authid WHERE rolpassword LIKE 'SCRAM%'`)
	c.must("reading verifiers", err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	c.must("reading verifiers", err)
	for _, line := range lines {
		role, verifier, _ := strings.Cut(line, "\t")
		c.know("verifier of "+role, verifier)
		keys := strings.FieldsFunc(verifier, func(r rune) bool { return r == '$' || r == ':' })
		c.know("StoredKey of "+role, keys[3])
		c.know("ServerKey of "+role, keys[4])
	}
}

// know takes down a value, unless it is none that can be searched for: a login's name, a number.
func (c *canary) know(what, value string) {
	if len(value) >= 16 && !strings.HasSuffix(what, ".meta") {
		c.secrets[value] = what
	}
}

// run runs a command to its end, and looks at its process and its files all the while.
func (c *canary) run(context string, code int, args ...string) {
	c.Helper()
	cmd := c.command(context, args...)
	cmd.Dir = c.home
	cmd.Env = append(cmd.Env, "HOME="+c.home, "TMPDIR="+c.home, "XDG_CACHE_HOME="+c.home, "CANARY=a variable of the test")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	c.must("starting", cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for running := true; running; {
		select {
		case err := <-ended:
			running = false
			if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
				c.Fatalf("running %v: %v", args, err)
			}
		case <-time.After(50 * time.Millisecond):
			c.look("arguments", "/proc/"+strconv.Itoa(cmd.Process.Pid)+"/cmdline")
			c.look("environment", "/proc/"+strconv.Itoa(cmd.Process.Pid)+"/environ")
			c.files()
		}
	}
	c.files()
	c.learn()
	c.out["stdout"].Write(out.Bytes())
	c.out["stderr"].Write(errs.Bytes())
	if got := cmd.ProcessState.ExitCode(); got != code {
		said := errs.String()
		c.Fatalf("%v: exit code %d, want %d; its last words:\n%s", args, got, code, said[max(0, len(said)-4000):])
	}
}

// look keeps what stands in a file.
func (c *canary) look(place, file string) {
	if text, err := os.ReadFile(file); err == nil {
		c.seen[place][string(text)] = true
	}
}

// files keeps all that lies where a run may put files.
func (c *canary) files() {
	_ = filepath.WalkDir(c.home, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			c.look("files", path)
		}
		return nil
	})
}

// places are all of them, with what is there now.
func (c *canary) places() []place {
	c.Helper()
	return append(c.around("postgres", "postgresql-credentials", "backend_v2"),
		place{"the server's log", c.log("postgresql-0"), "backend_v2"}, place{"pg_stat_statements", c.statements(), "backend_v2"})
}

// around are the places that there are whatever the server is, for a target, its Secret, and the name of its second version.
func (c *canary) around(target, secret, second string) []place {
	c.Helper()
	all := []place{
		{"stdout", c.out["stdout"].String(), "kubectl rotate " + target},
		{"stderr", c.out["stderr"].String(), second},
		{"the audit log", c.auditLog(), c.ns + "/secrets/" + secret + "-rotate"},
		{"events", c.list(c.kube.CoreV1().Events(c.ns).List(c.ctx, metav1.ListOptions{})), "backend-"},
		{"deployments", c.list(c.kube.AppsV1().Deployments(c.ns).List(c.ctx, metav1.ListOptions{})), "backend"},
		{"pods", c.list(c.kube.CoreV1().Pods(c.ns).List(c.ctx, metav1.ListOptions{})), "backend-"},
		{"leases", c.list(c.kube.CoordinationV1().Leases(c.ns).List(c.ctx, metav1.ListOptions{})), secret + "-rotate"},
		{"configmaps", c.list(c.kube.CoreV1().ConfigMaps(c.ns).List(c.ctx, metav1.ListOptions{})), "attempt-1.v1-v2"},
		{"the Secrets' metadata", c.metadata(), "kubectl-rotate/record"},
	}
	for name, holds := range map[string]string{"arguments": c.ns, "environment": "a variable of the test", "files": "a file of the test"} {
		var texts []string
		for text := range c.seen[name] {
			texts = append(texts, text)
		}
		all = append(all, place{"the runs' " + name, strings.Join(texts, "\n"), holds})
	}
	return all
}

// log is what a server's pod has logged.
func (c *canary) log(pod string) string {
	c.Helper()
	stream, err := c.kube.CoreV1().Pods(c.ns).GetLogs(pod, &corev1.PodLogOptions{}).Stream(c.ctx)
	c.must("reading the server's log", err)
	defer stream.Close()
	text, err := io.ReadAll(stream)
	c.must("reading the server's log", err)
	return string(text)
}

func (c *canary) statements() string {
	c.Helper()
	conn := c.admin("demo-platform")
	defer conn.Close(c.ctx)
	rows, err := conn.Query(c.ctx, `SELECT query FROM pg_stat_statements`)
	c.must("reading pg_stat_statements", err)
	texts, err := pgx.CollectRows(rows, pgx.RowTo[string])
	c.must("reading pg_stat_statements", err)
	return strings.Join(texts, "\n")
}

// auditLog is what was written since the beginning.
func (c *canary) auditLog() string {
	c.Helper()
	f, err := os.Open(c.audit)
	c.must("opening the audit log", err)
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() >= c.from { // else it was begun anew
		_, err = f.Seek(c.from, io.SeekStart)
		c.must("reading the audit log", err)
	}
	text, err := io.ReadAll(f)
	c.must("reading the audit log", err)
	return string(text)
}

func (c *canary) list(objects any, err error) string {
	c.Helper()
	c.must("listing", err)
	text, err := json.Marshal(objects)
	c.must("writing objects", err)
	return string(text)
}

// metadata is all of the Secrets but their data.
func (c *canary) metadata() string {
	c.Helper()
	secrets, err := c.kube.CoreV1().Secrets(c.ns).List(c.ctx, metav1.ListOptions{})
	c.must("listing Secrets", err)
	for i := range secrets.Items {
		secrets.Items[i].Data = nil
	}
	return c.list(secrets, nil)
}
