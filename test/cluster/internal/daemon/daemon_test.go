package daemon

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestStartAndStop(t *testing.T) {
	s := newSet(t)
	if err := s.Start("sleeper", []string{"sh", "-c", "echo started; exec sleep 600"}); err != nil {
		t.Fatal(err)
	}
	first, err := load(s.record("sleeper"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = first.Signal(syscall.SIGKILL) })
	eventually(t, "its output in the log", func() bool {
		log, err := os.ReadFile(s.Log("sleeper"))
		return err == nil && string(log) == "started\n"
	})
	if err := s.Start("sleeper", []string{"false"}); err != nil {
		t.Fatal(err)
	}
	if again, _ := load(s.record("sleeper")); again.PID != first.PID {
		t.Errorf("a daemon that runs was started again: process %d after %d", again.PID, first.PID)
	}
	if id, err := sessionOf(first.PID); err != nil || id != first.PID {
		t.Errorf("the daemon is in session %d (%v), not in one of its own", id, err)
	}
	if err := s.Stop(context.Background(), "sleeper"); err != nil {
		t.Fatal(err)
	}
	if first.Alive() || s.Alive("sleeper") || s.Crashed("sleeper") {
		t.Error("a stopped daemon counts as alive or as crashed")
	}
	if err := s.Stop(context.Background(), "sleeper"); err != nil {
		t.Errorf("stopping what does not run: %v", err)
	}
}

func TestCrashed(t *testing.T) {
	s := newSet(t)
	if s.Crashed("brief") {
		t.Error("a daemon that never ran counts as crashed")
	}
	if err := s.Start("brief", []string{"true"}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the daemon to count as crashed", func() bool { return s.Crashed("brief") })
	if began, err := s.Began("brief"); err != nil || time.Since(began) > time.Minute {
		t.Errorf("it began at %v (%v)", began, err)
	}
}

// A record whose number has gone to another process must not hit that.
func TestSignalSparesStrangers(t *testing.T) {
	stranger := exec.Command("sleep", "600")
	if err := stranger.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = stranger.Process.Kill(), stranger.Wait() })
	real, err := recordOf(stranger.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	earlier, otherBoot := real, real
	earlier.Start--
	otherBoot.Boot = "another"
	for name, r := range map[string]Record{"an earlier process": earlier, "an earlier boot": otherBoot} {
		if err := r.Signal(syscall.SIGKILL); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if r.Alive() {
			t.Errorf("%s counts as alive", name)
		}
	}
	if err := stranger.Process.Signal(syscall.Signal(0)); err != nil || !real.Alive() {
		t.Errorf("the stranger was hit: %v", err)
	}
}

func TestParseStat(t *testing.T) {
	rest := strings.Repeat(" 0", 18) + " 4711 0 0"
	for _, name := range []string{"sleep", "a b", "x) S 1 (y"} {
		state, start, err := parseStat("17 (" + name + ") S" + rest)
		if err != nil || state != 'S' || start != 4711 {
			t.Errorf("a program called %q: state %c, start %d, %v", name, state, start, err)
		}
	}
	for _, broken := range []string{"", "17 (sleep", "17 (sleep) S 1 2"} {
		if _, _, err := parseStat(broken); err == nil {
			t.Errorf("%q was understood", broken)
		}
	}
}

// newSet has a control group that is a plain folder, so it takes no root.
func newSet(t *testing.T) Set {
	t.Helper()
	root, dir := t.TempDir(), t.TempDir()
	c := Cgroup{Name: "test", Root: root}
	if err := os.MkdirAll(filepath.Join(c.tracking(), "test", "daemons"), 0o755); err != nil {
		t.Fatal(err)
	}
	return Set{Records: dir, Logs: dir, Cgroup: c}
}

func sessionOf(pid int) (int, error) {
	id, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(pid), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(id), nil
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}

// A lock that the caller holds, or a pipe that somebody reads to its end, is not a daemon's to keep.
func TestADaemonInheritsNoFile(t *testing.T) {
	s := newSet(t)
	var inherited [2]int
	if err := syscall.Pipe(inherited[:]); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = syscall.Close(inherited[0]), syscall.Close(inherited[1]) })
	if err := s.Start("sleeper", []string{"sh", "-c", "echo started; exec sleep 600"}); err != nil {
		t.Fatal(err)
	}
	r, err := load(s.record("sleeper"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Signal(syscall.SIGKILL) })
	eventually(t, "its output in the log", func() bool {
		log, err := os.ReadFile(s.Log("sleeper"))
		return err == nil && strings.HasSuffix(string(log), "started\n")
	})
	for _, fd := range inherited {
		if to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", r.PID, fd)); err == nil && strings.HasPrefix(to, "pipe:") {
			t.Errorf("file %d went to the daemon: %s", fd, to)
		}
	}
}
