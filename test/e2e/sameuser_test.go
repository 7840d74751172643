package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// gap is what a user reads before a password changes under its login.
const gap = "from install to the end of the rollout, a pod that opens a new connection with the other password is refused; sessions that are open stay"

// configured writes a targets file for the platform, with lines of its own for the server, and gives the flag that names it.
func (w *world) configured(postgres string) string {
	w.Helper()
	file := filepath.Join(w.TempDir(), "targets.yaml")
	text := "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- name: postgres\n  kind: postgres\n  postgres: {" + postgres + "}\n"
	w.must("writing the configuration", os.WriteFile(file, []byte(text), 0o600))
	return "--config=" + file
}

// The password of one login changes: only by the configuration, and only after a consent that says what is lost. A yes is
// not enough. It converges, and the role is the one that it was.
func TestSameUser(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	config := w.configured("strategy: same-user")
	before, old := w.fingerprint(), w.login()
	r := w.rotate(3, "postgres", "--yes", config)
	if !strings.Contains(r.stderr, gap) || !strings.Contains(r.stderr, "--accept=gap") {
		t.Errorf("what is lost is not said, or not how to agree: %s", r)
	}
	if r = w.rotate(0, "postgres", "--dry-run", config); !strings.Contains(r.stdout, gap) || !strings.Contains(r.stdout, `ALTER ROLE "backend" PASSWORD '[redacted]'`) {
		t.Errorf("the plan does not say what is lost, or what is done: %s", r)
	}
	w.unchanged(before)

	w.rotate(0, "postgres", "--yes", "--accept=gap", "--soak=1s", config)
	if w.login().password == old.password || w.accepted(old) {
		t.Error("the old password is still the application's, or still gets in")
	}
	w.standby("backend")
	w.answersAll()
}

// Stopped in the middle of the gap, in another process with another idea of the strategy, it is taken back: the old password is
// stored again, and nothing is left of the new one.
func TestSameUserAbortedHalfWay(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	config := w.configured("strategy: same-user")
	for _, until := range []string{"install", "activate", "rollout"} {
		old := w.login()
		w.rotate(3, "postgres", "--yes", "--accept=gap", "--until="+until, config)
		if w.accepted(old) {
			t.Errorf("until %s: the old password still gets in", until)
		}
		r := w.rotate(0, "abort", "postgres", "--yes", "--soak=1s")
		if w.login() != old {
			t.Errorf("until %s: the password is not the one of before: %s", until, r)
		}
		w.standby("backend")
	}
	w.answersAll()
}

// answersAll wants the platform to answer all of a few hundred requests.
func (w *world) answersAll() {
	w.Helper()
	run := w.loaded()
	w.until("300 requests are served", func() bool { return run.Snapshot().Requests >= 300 })
}
