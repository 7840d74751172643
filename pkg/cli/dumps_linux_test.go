package cli

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/lease"
)

func init() { dying = quit }

// quit says how this process stands, and has it die as a crash in C or `kill -QUIT` does.
func quit() int {
	if os.Getenv("NO_DUMPS") != "" {
		if err := noDumps(); err != nil {
			return 1
		}
	}
	_ = lease.Me("somebody") // reads /proc/self
	limits, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		return 1
	}
	for line := range strings.Lines(string(limits)) {
		if strings.HasPrefix(line, "Max core file size") {
			_, _ = os.Stdout.WriteString(strings.Join(strings.Fields(line), " ") + "\n")
		}
	}
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
		_, _ = os.Stdout.WriteString("dumpable\n")
	}
	if space, err := os.Readlink("/proc/self/ns/pid"); err != nil || space == "" {
		_, _ = os.Stdout.WriteString("no PID namespace\n")
	}
	_ = unix.Kill(os.Getpid(), unix.SIGQUIT)
	select {}
}

// A process that holds passwords leaves no core, however it ends. Without the setting it would, where this machine lets it.
func TestNoCoreHoldsAPassword(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{"", "1"} {
		dir := t.TempDir()
		c := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-c", "ulimit -c unlimited 2>/dev/null; exec "+self)
		c.Dir, c.Env = dir, append(os.Environ(), "DYING=1", "NO_DUMPS="+set, "GOTRACEBACK=crash")
		out, err := c.Output()
		ended, ok := c.ProcessState.Sys().(syscall.WaitStatus)
		if err == nil || !ok || !ended.Signaled() {
			t.Fatalf("it was to die: %v, %s", c.ProcessState, out)
		}
		if set == "" {
			t.Logf("without: %s, core %v", out, ended.CoreDump())
			if !strings.Contains(string(out), "dumpable\n") {
				t.Errorf("it is set already: %s", out)
			}
			continue
		}
		cores, err := filepath.Glob(filepath.Join(dir, "*"))
		if want := "Max core file size 0 0 bytes\n"; err != nil || string(out) != want || ended.CoreDump() || len(cores) > 0 {
			t.Errorf("got %q, want %q; a core: %v; files: %v", out, want, ended.CoreDump(), cores)
		}
	}
}

// The program itself does it before it does anything else.
func TestTheProgramLeavesNoCore(t *testing.T) {
	var before, after unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &before); err != nil {
		t.Fatal(err)
	}
	if code := Main([]string{"kubectl-rotate", "version", "-o", "json"}); code != exitDone {
		t.Fatalf("exit code %d", code)
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if bad := unix.Getrlimit(unix.RLIMIT_CORE, &after); bad != nil || err != nil || dumpable != 0 || after.Cur != 0 || after.Max != 0 {
		t.Errorf("dumpable %d, limits %+v, before %+v", dumpable, after, before)
	}
}
