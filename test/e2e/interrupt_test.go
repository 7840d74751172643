package e2e

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
)

// Ctrl-C in the middle of a rollout ends the run with 130, and says how to go on and how to go back.
func TestInterrupt(t *testing.T) {
	w := newWorld(t)
	c := w.command("restricted", "postgres", "--yes", "--soak=1s")
	errs, err := c.StderrPipe()
	w.must("piping", err)
	var out bytes.Buffer
	c.Stdout = &out
	w.must("starting", c.Start())
	lines := bufio.NewScanner(errs)
	for lines.Scan() && !strings.Contains(lines.Text(), "rollout") {
	}
	w.must("interrupting", c.Process.Signal(os.Interrupt))
	rest, _ := io.ReadAll(errs)
	_ = c.Wait()
	if code := c.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	said := lines.Text() + string(rest) + out.String()
	for _, want := range []string{"kubectl rotate postgres --context restricted -n " + w.ns, "kubectl rotate abort postgres"} {
		if !strings.Contains(said, want) {
			t.Errorf("no word of %q:\n%s", want, said)
		}
	}
	w.rotate(0, "postgres", "--yes", "--soak=1s")
	w.standby("backend_v2")
}
