package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// Somebody rotates at a terminal: looks, agrees, watches the rollout, makes the window narrow, leaves in the soak, comes
// back, and finds all of it on the terminal at the end.
func TestScreen(t *testing.T) {
	alone(t)
	w := newWorld(t)
	w.loaded()
	s := w.terminal(80, 24)
	s.run("postgres", "--soak=30s")
	s.shows("begin asks")
	for _, want := range []string{"context restricted", w.ns, "as restricted", "https://", "v1 to v2", "there is no way back", "y agree"} {
		if !strings.Contains(strings.Join(strings.Fields(s.screen()), " "), want) {
			t.Errorf("no word of %q on the screen:\n%s", want, s.screen())
		}
	}
	s.looksLike("begin")
	s.press("y")
	s.shows("deployment/backend", "pods there")
	s.tmux("resize-window", "-t", s.name, "-x", "40", "-y", "24")
	s.shows("[~] soak")
	s.looksLike("soak-narrow")
	s.tmux("resize-window", "-t", s.name, "-x", "80", "-y", "24")
	s.shows("l log   ? help   q leave")
	s.press("p")
	s.shows("p go on")
	s.looksLike("soak-paused")
	s.tmux("resize-window", "-t", s.name, "-x", "80", "-y", "40") // all that is left on the terminal fits
	s.press("q")
	s.shows("exit code 3", "kubectl rotate postgres --context restricted")
	s.looksLike("left")
	s.run("postgres", "--soak=1s")
	s.shows("exit code 0", "from v1 to v2: done in")
	s.looksLike("finished")
	w.standby("backend_v2")
}

// A pause holds the next effect for as long as it takes: here the last one, after which there is no way back.
func TestPauseOnTheScreen(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loaded()
	s := w.terminal(80, 24)
	s.run("postgres", "--yes", "--soak=5s")
	s.shows("[~] soak")
	s.press("p")
	s.shows("paused before the next effect")
	if got := strings.Join(w.saved(), " "); got != "v1 v2" {
		t.Errorf("with the last step paused, on record are %s, want both values", got)
	}
	s.press("p")
	s.shows("exit code 0")
	w.standby("backend_v2")
}

// A pod that cannot live with the new login is on the screen with its own words long before the deadline, which then turns the
// run round by itself.
func TestFailingRolloutOnTheScreen(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loaded()
	before := w.login()
	w.deadline(60)
	w.rotate(3, "postgres", "--yes", "--until=install")
	w.rejectFromPods("backend_v2")
	s := w.terminal(100, 30)
	s.run("postgres", "--yes", "--soak=1s")
	s.shows("rollout", "[!] pod/backend-", "login refused")
	s.shows("v2 to v1, back")
	s.shows("exit code 1", "it was taken back, and nothing is left of it")
	if w.login() != before {
		t.Errorf("the login is %s, want %s with its old password", w.login().user, before.user)
	}
	w.standby("backend")
}

// Taking it back from the screen is the same run turned round.
func TestAbortOnTheScreen(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.loaded()
	before := w.login()
	s := w.terminal(100, 30)
	s.run("postgres", "--yes", "--soak=5m")
	s.shows("[~] soak")
	s.press("a")
	s.shows("Take it back to v1?")
	s.press("y")
	s.shows("v2 to v1, back")
	s.press("q")
	s.shows("exit code 3", "kubectl rotate abort postgres")
	w.rotate(0, "abort", "postgres", "--yes", "--soak=1s")
	if w.login() != before {
		t.Errorf("the login is %s, want %s with its old password", w.login().user, before.user)
	}
	w.standby("backend")
}

// Ctrl-C restores the terminal, and says how to go on.
func TestCtrlCOnTheScreen(t *testing.T) {
	long(t)
	w := newWorld(t)
	s := w.terminal(80, 24)
	s.run("postgres", "--yes", "--soak=5m", "-v=6")
	s.shows("[~] soak")
	s.press("l")
	s.shows("Log", "GET")
	s.press("C-c")
	s.shows("exit code 130", "to go on:")
}

// How long a step takes stands beside how long it usually does, and a handover that was asked for stays after the screen.
func TestHandoverOnTheScreen(t *testing.T) {
	long(t)
	w := newWorld(t)
	w.rotate(0, "postgres", "--yes", "--soak=2s")
	s := w.terminal(100, 40)
	s.run("postgres", "--yes", "--again", "--soak=5m")
	s.shows("[~] soak", "s of ~2.")
	s.press("L")
	s.shows("**postgres: rotating v2 to v3, at soak**", "Decided by restricted at 20", "Proven:", "- revoke: ", "Not proven:", "- soak (waiting): ", "usually 2.")
	s.press("q")
	s.shows("exit code 3", "Next: `kubectl rotate postgres --context restricted -n "+w.ns+"`", "- retire (not looked at)")
}

// A watch on a terminal writes over what it showed, and leaves the last of it.
func TestWatchOnATerminal(t *testing.T) {
	long(t)
	w := newWorld(t)
	w.rotate(3, "postgres", "--yes", "--until=install")
	s := w.terminal(100, 12)
	s.run("status", "-w")
	s.shows("install (recorded)")
	w.rotate(0, "postgres", "--yes", "--soak=5s")
	s.shows("standby (recorded)", "exit code 0")
	if screen := s.screen(); strings.Count(screen, "NAME ") != 1 || strings.Contains(screen, "install (recorded)") {
		t.Errorf("it did not write over what it had shown:\n%s", screen)
	}
}

// terminal is a real one, in which somebody types.
type terminal struct {
	*world
	name   string
	socket string
}

func (w *world) terminal(width, height int) *terminal {
	w.Helper()
	s := &terminal{world: w, name: w.ns, socket: w.ns}
	s.tmux("-f", "/dev/null", "new-session", "-d", "-s", s.name, "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), "env PS1='$ ' sh")
	w.Cleanup(func() {
		_ = exec.CommandContext(context.WithoutCancel(w.ctx), "tmux", "-L", s.socket, "kill-server").Run()
	})
	return s
}

func (s *terminal) tmux(args ...string) string {
	s.Helper()
	out, err := exec.CommandContext(s.ctx, "tmux", append([]string{"-L", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		s.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// run starts the program in the terminal's shell, after which its exit code is said.
func (s *terminal) run(args ...string) {
	s.Helper()
	c := s.command("restricted", args...)
	s.tmux("send-keys", "-t", s.name, "-l", "clear; KUBECONFIG= "+strings.Join(c.Args, " ")+"; echo exit code $?")
	s.press("Enter")
}

// press presses one key.
func (s *terminal) press(key string) {
	s.Helper()
	s.tmux("send-keys", "-t", s.name, key)
}

// screen is what the terminal shows now.
func (s *terminal) screen() string {
	s.Helper()
	return s.tmux("capture-pane", "-p", "-t", s.name)
}

// shows waits until all words are on the screen at once.
func (s *terminal) shows(words ...string) {
	s.Helper()
	end := time.Now().Add(2 * time.Minute)
	missing := func(screen string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(screen, word) })
	}
	for now := s.screen(); missing(now); now = s.screen() {
		if time.Now().After(end) {
			s.Fatalf("the screen does not show all of %q:\n%s", words, now)
		}
		select {
		case <-s.ctx.Done():
			s.Fatalf("waiting for %q: %v", words, s.ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
