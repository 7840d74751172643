package e2e

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// No signing key, old or new, shows anywhere, in any form, at -v=9: not in what the runs say, not in the log of any pod, nor in the
// API server's audit log, events or other objects, not in a run's arguments, environment or files. Nor does a token that was made for
// the probe, or issued for it: all begin alike.
func TestSigningKeysShowNowhere(t *testing.T) {
	long(t)
	w, config := signing(t, 5*time.Second)
	c := newCanary(w)
	logs := w.logged()
	c.run("restricted", 0, "jwt", config, "--dry-run", "-v=9")
	c.run("restricted", 0, "jwt", config, "--yes", "-v=9")
	c.run("admin", 3, "jwt", config, "--yes", "--again", "--until=publish", "-v=9", "-o", "json")
	c.run("restricted", 3, "jwt", config, "--yes", "--until=rollout", "-v=9")
	c.run("restricted", 0, "status", "jwt", config, "-v=9", "-o", "yaml")
	c.run("restricted", 0, "status", "jwt", config, "-v=9", "-o", "timeline")
	c.run("restricted", 0, "abort", "jwt", config, "--yes", "-v=9")
	c.run("restricted", 3, "emergency-jwt", config, "--yes", "--until=activate", "-v=9")
	c.run("restricted", 0, "emergency-jwt", config, "--yes", "--cut", "-v=9")
	c.run("restricted", 0, "history", config, "-v=9", "-o", "json")
	c.run("admin", 0, "status", "-A", config, "-v=9", "-o", "json")
	if n := c.signingKeys(); n < 4 {
		t.Fatalf("only %d signing keys were learned", n)
	}
	all := append(c.around("jwt", "jwt-keys", "jwt-secret-v2"), place{"the pods' logs", logs(), "signing_key=jwt-secret-v2"})
	c.search(all)
	for _, p := range all {
		if strings.Contains(p.text, "eyJhbGciOi") {
			t.Errorf("%s shows a token", p.name)
		}
	}
}

// signingKeys is how many of them the canary knows.
func (c *canary) signingKeys() (n int) {
	for _, what := range c.secrets {
		if strings.HasPrefix(what, "jwt-keys") {
			n++
		}
	}
	return n
}

// logged follows the log of every pod of the backend; the function that it gives ends that, and gives what was logged.
func (w *world) logged() func() string {
	w.Helper()
	var all bytes.Buffer
	var mu sync.Mutex
	var reading sync.WaitGroup
	known := map[string]bool{}
	ended := make(chan struct{})
	follow := func() {
		list, err := w.kube.CoreV1().Pods(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: "app=backend"})
		if err != nil {
			return
		}
		for _, p := range list.Items {
			if known[p.Name] || p.Status.Phase != corev1.PodRunning {
				continue
			}
			stream, err := w.kube.CoreV1().Pods(w.ns).GetLogs(p.Name, &corev1.PodLogOptions{Follow: true}).Stream(w.ctx)
			if err != nil {
				continue
			}
			known[p.Name] = true
			reading.Go(func() {
				defer stream.Close()
				text, _ := io.ReadAll(stream) // until the pod ends
				mu.Lock()
				defer mu.Unlock()
				all.Write(text)
			})
		}
	}
	follow()
	reading.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-w.ctx.Done():
				return
			case <-time.After(200 * time.Millisecond):
				follow()
			}
		}
	})
	return func() string {
		close(ended)
		for _, p := range w.pods() { // those that are still there go on writing
			w.must("ending pod "+p.Name, w.kube.CoreV1().Pods(w.ns).Delete(w.ctx, p.Name, metav1.DeleteOptions{}))
		}
		reading.Wait()
		return all.String()
	}
}
