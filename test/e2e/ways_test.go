package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The same rotation through a relay in the container, and over the network, where the server checks passwords and
// a login is the proof.
func TestOtherWays(t *testing.T) {
	w := newWorld(t)
	w.loaded()
	r := w.as("admin", "postgres", "--yes", "--soak=1s", "--via=exec")
	if r.code != 0 {
		t.Fatalf("by exec: %s", r)
	}
	w.standby("backend_v2")
	file := filepath.Join(t.TempDir(), "targets.yaml")
	text := "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- name: postgres\n  kind: postgres\n  postgres: {address: \"" + w.platform.PostgreSQL + "\"}\n"
	w.must("writing the configuration", os.WriteFile(file, []byte(text), 0o600))
	r = w.rotate(0, "postgres", "--yes", "--soak=1s", "--again", "--via=direct", "--config", file)
	if !strings.Contains(r.stderr, "login as backend_v3") {
		t.Errorf("no login is the proof: %s", r)
	}
	w.standby("backend_v3")
}
