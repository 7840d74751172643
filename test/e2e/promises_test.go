package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// --dry-run shows the statements, the keys and the workloads, and writes nothing anywhere.
func TestDryRunWritesNothing(t *testing.T) {
	w := newWorld(t)
	before := w.fingerprint()
	r := w.rotate(0, "postgres", "--dry-run")
	w.unchanged(before)
	for _, want := range []string{"CREATE ROLE", "backend_v2", "[redacted]", "DATABASE_URL", "password", "deployment/backend", "NOLOGIN"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("the plan has no word of %q: %s", want, r)
		}
	}
	if strings.Contains(r.stdout+r.stderr, w.login().password) {
		t.Error("the plan shows the password")
	}
	w.rotate(3, "postgres", "--yes", "--until=activate")
	middle := w.fingerprint()
	w.rotate(0, "postgres", "--dry-run", "-o", "json")
	w.unchanged(middle)
}

// What was written was written as credential-rotation, and the application's Secret has no label or key more.
func TestFieldManager(t *testing.T) {
	w := newWorld(t)
	keys := len(w.secret("postgresql-credentials").Data)
	w.rotate(0, "postgres", "--yes", "--soak=0")
	d, err := w.kube.AppsV1().Deployments(w.ns).Get(w.ctx, "backend", metav1.GetOptions{})
	w.must("reading the deployment", err)
	for name, fields := range map[string][]metav1.ManagedFieldsEntry{
		"secret": w.secret("postgresql-credentials").ManagedFields, "record": w.secret("postgresql-credentials-rotate").ManagedFields, "deployment": d.ManagedFields,
	} {
		if !slices.ContainsFunc(fields, func(f metav1.ManagedFieldsEntry) bool { return f.Manager == "credential-rotation" }) {
			t.Errorf("%s: not written by credential-rotation: %v", name, fields)
		}
	}
	if got := len(w.secret("postgresql-credentials").Data); got != keys {
		t.Errorf("the Secret has %d keys, had %d", got, keys)
	}
}

// The default way needs no pods/exec, which the restricted user does not have, and opens no listening socket.
func TestNoListeningSocket(t *testing.T) {
	w := newWorld(t)
	c := w.command("restricted", "postgres", "--yes", "--soak=1s", "-o", "json")
	c.Stderr = os.Stderr
	w.must("starting", c.Start())
	looks := 0
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case err := <-ended:
			w.must("rotating", err)
			if looks < 100 {
				t.Errorf("only %d looks at the sockets of the run", looks)
			}
			return
		case <-look.C:
		}
		if found := listening(c.Process.Pid); len(found) > 0 {
			t.Fatalf("it listens: %v", found)
		}
		looks++
	}
}

// listening are the sockets of process pid that listen, by their inode in /proc/net.
func listening(pid int) (found []string) {
	own := map[string]bool{}
	fds, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/fd/*")
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, "socket:[") {
			own[strings.Trim(to, "socket:[]")] = true
		}
	}
	for _, table := range []string{"tcp", "tcp6"} {
		text, _ := os.ReadFile("/proc/net/" + table)
		for _, line := range strings.Split(string(text), "\n") {
			if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" && own[f[9]] {
				found = append(found, line)
			}
		}
	}
	return found
}

// Only the context that was named is contacted, whatever the kubeconfig's current one is; -n beats the context's namespace.
func TestContextAndNamespace(t *testing.T) {
	w := newWorld(t)
	known, err := clientcmd.LoadFromFile(w.kubeconfig)
	w.must("reading the kubeconfig", err)
	known.Clusters["dead"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:1"}
	known.Contexts["dead"] = &clientcmdapi.Context{Cluster: "dead", AuthInfo: "admin", Namespace: "nowhere"}
	known.CurrentContext = "dead"
	config := filepath.Join(t.TempDir(), "config")
	w.must("writing it with a dead cluster", clientcmd.WriteToFile(*known, config))
	run := func(args ...string) (string, error) {
		out, err := exec.Command(plugin, append(args, "--kubeconfig", config)...).CombinedOutput()
		return string(out), err
	}
	if out, err := run("status", "--context=restricted", "-n", w.ns); err != nil || !strings.Contains(out, "postgres") {
		t.Errorf("the named context was not used: %v\n%s", err, out)
	}
	if out, err := run("status"); err == nil || !strings.Contains(out, "https://127.0.0.1:1") {
		t.Errorf("a dead server is not named: %v\n%s", err, out)
	}
}
