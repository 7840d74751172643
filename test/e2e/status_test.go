package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// A rotation under way is seen from everywhere, with what its record says of it; who may not list Secrets is told so.
func TestStatusOfTheWholeCluster(t *testing.T) {
	w := newWorld(t)
	if r := w.as("admin", "status", "-A", "-n", "default"); r.code != 0 || strings.Contains(r.stdout, w.ns) {
		t.Errorf("before anything was rotated: %s", r)
	}
	w.rotate(3, "postgres", "--yes", "--until=activate")
	wide := w.as("admin", "status", "-n", "default", "-A", "-o", "wide").stdout
	row := ""
	for line := range strings.Lines(wide) {
		if strings.HasPrefix(line, w.ns) {
			row = line
		}
	}
	for _, want := range []string{"postgres", "v2", "in 89d", "rollout (recorded)", "SRE", "postgresql-credentials", "backend_v2", "v1 to v2", "restricted"} {
		if !strings.Contains(row, want) {
			t.Errorf("no word of %q in %q of\n%s", want, row, wide)
		}
	}
	if r := w.rotate(1, "status", "-A"); !strings.Contains(r.stderr, "secrets") || !strings.Contains(r.stderr, "forbidden") {
		t.Errorf("got %s", r)
	}
	for selector, found := range map[string]bool{"app.kubernetes.io/name=nobody": false, "!nothing": true} {
		if r := w.rotate(0, "status", "-l", selector); strings.Contains(r.stdout, "postgres ") != found {
			t.Errorf("-l %s: %s", selector, r)
		}
	}
	if text := w.rotate(0, "status", "postgres", "-o", "timeline").stdout; !strings.Contains(text, "- activate: ") ||
		!strings.Contains(text, "Not proven:\n- rollout (") || !strings.Contains(text, "In the way:\n- ") ||
		!strings.Contains(text, "Next: `kubectl rotate postgres --context restricted -n "+w.ns+"`") || strings.Contains(text, w.login().password) {
		t.Errorf("the handover: %s", text)
	}
	w.rotate(0, "status", "--check")
}

// A watch in a pipe tells each change as a line, and ends when the rotation does.
func TestWatchEndsInStandby(t *testing.T) {
	w := newWorld(t)
	w.rotate(3, "postgres", "--yes", "--until=install")
	c := w.command("restricted", "status", "-w")
	out, err := c.StdoutPipe()
	w.must("piping", err)
	w.must("starting", c.Start())
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.Contains(lines.Text(), "postgres: install (recorded), v1 to v2") {
		t.Errorf("first: %q", lines.Text())
	}
	w.rotate(0, "postgres", "--yes", "--soak=5s")
	said := ""
	for lines.Scan() {
		said += lines.Text() + "\n"
	}
	if err := c.Wait(); err != nil || !strings.Contains(said, "postgres: standby") || strings.Contains(said, "\x1b") {
		t.Errorf("%v, %q", err, said)
	}
}

// What is older than its interval is an exit code for a check, and a line with the command for people.
func TestCheckFindsWhatIsOverdue(t *testing.T) {
	w := newWorld(t)
	w.rotate(0, "postgres", "--yes", "--soak=0")
	config := filepath.Join(t.TempDir(), "targets.yaml")
	text := "apiVersion: kubectl-rotate/v1alpha1\ntargets: [{name: postgres, kind: postgres, interval: 1s}]\n"
	w.must("writing the configuration", os.WriteFile(config, []byte(text), 0o600))
	w.until("it is overdue", func() bool { return w.as("restricted", "status", "--check", "--config", config).code == 5 })
	if r := w.rotate(5, "status", "--check", "--config", config); !strings.Contains(r.stdout, "overdue") ||
		!strings.Contains(r.stderr, "rotate it with `kubectl rotate postgres --context restricted -n "+w.ns+" --config "+config+"`") || !strings.Contains(r.stderr, "1 of 1 targets") {
		t.Errorf("got %s", r)
	}
}

// Ten thousand Secrets, and two hundred that were rotated, are looked at in pages of metadata: few requests, no values.
func TestStatusAmongTenThousandSecrets(t *testing.T) {
	long(t)
	w := newCluster(t)
	w.crowd(10_000, 200)
	begun := time.Now()
	r := w.as("admin", "status", "-A", "-v=6")
	took, requests := time.Since(begun), strings.Count(r.stderr, "\"Response\"")
	t.Logf("-A among 10,000 Secrets, 200 of them rotated: %v, %d requests", took, requests)
	if n := strings.Count(r.stdout, w.ns); r.code != 0 || n != 200 {
		t.Fatalf("%d rows, exit code %d: %s", n, r.code, r.stderr[max(0, len(r.stderr)-2000):])
	}
	if requests > 40 || took > 5*time.Second {
		t.Errorf("it took %v and %d requests", took, requests)
	}
	begun = time.Now()
	r = w.as("admin", "status", "-v=6")
	took, requests = time.Since(begun), strings.Count(r.stderr, "\"Response\"")
	t.Logf("a namespace with them: %v, %d requests", took, requests)
	if requests > 8 || took > 2*time.Second {
		t.Errorf("it took %v and %d requests", took, requests)
	}
}

// crowd makes n Secrets in the world's namespace, and as many that were rotated as rotated says; one of those is the default target's.
func (w *world) crowd(n, rotated int) {
	w.Helper()
	fast := rest.CopyConfig(w.config)
	fast.QPS = -1
	client := kubernetes.NewForConfigOrDie(fast)
	_, err := client.CoreV1().Namespaces().Create(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.ns}}, metav1.CreateOptions{})
	w.must("creating the namespace", err)
	w.Cleanup(func() { _ = client.CoreV1().Namespaces().Delete(context.Background(), w.ns, metav1.DeleteOptions{}) })
	var all sync.WaitGroup
	room := make(chan struct{}, 50)
	create := func(s *corev1.Secret) {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			if _, err := client.CoreV1().Secrets(w.ns).Create(w.ctx, s, metav1.CreateOptions{}); err != nil {
				w.Error(err)
			}
		})
	}
	value := map[string][]byte{"value": bytes.Repeat([]byte("x"), 1000)}
	for i := range n {
		create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("filler-%d", i)}, Data: value})
	}
	record := `{"format":1,"high":2,"intent":{"to":2,"from":1,"attempt":1,"at":"2026-03-01T12:00:00Z"},"editions":[{"n":1,"view":{"active":1,"accept":[1]}},{"n":2,"view":{"active":2,"accept":[2]},"written":"2026-03-01T12:00:00Z"}]}`
	for i := range rotated {
		name := fmt.Sprintf("db-%d", i)
		if i == 0 {
			name = "postgresql-credentials"
		}
		create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{"kubectl-rotate/record": record}}, Data: value})
		create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name + "-rotate", Annotations: map[string]string{"kubectl-rotate/versions": `{"2":"backend_v2"}`}}, Type: "kubectl-rotate/record", Data: value})
	}
	all.Wait()
}

// What init finds on the platform is a valid file, with which the platform is rotated.
func TestConfigOfThePlatformIsFound(t *testing.T) {
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "targets.yaml")
	if r := w.as("admin", "config", "init", file); r.code != 0 {
		t.Fatal(r)
	}
	text, err := os.ReadFile(file)
	w.must("reading it", err)
	if !strings.Contains(string(text), "deployment/backend") || strings.Contains(string(text), w.login().password) {
		t.Errorf("it has no word of the backend, or shows the password:\n%s", text)
	}
	for _, args := range [][]string{{"config", "validate", file}, {"status", "--config", file}, {"postgres", "--dry-run", "--config", file}} {
		if r := w.as("admin", args...); r.code != 0 {
			t.Error(r)
		}
	}
	if r := w.as("admin", "config", "init", file); r.code != 4 {
		t.Errorf("a file that is there: %s", r)
	}
	t.Logf("%s", text)
}
