package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// running is the program while it runs. Its events can be followed.
type running struct {
	*exec.Cmd
	w      *world
	args   []string
	lines  *bufio.Scanner
	events []rotation.Event // so far
	stderr bytes.Buffer
}

// start starts a command that tells its events.
func (w *world) start(context string, args ...string) *running {
	w.Helper()
	args = append(args, "-o", "json")
	r := &running{Cmd: w.command(context, args...), w: w, args: args}
	r.Stderr = &r.stderr
	out, err := r.StdoutPipe()
	w.must("piping", err)
	r.lines = bufio.NewScanner(out)
	r.lines.Buffer(nil, 1<<20)
	w.must("starting", r.Start())
	return r
}

// next waits for one more event; false at the end of the run.
func (r *running) next() bool {
	r.w.Helper()
	if !r.lines.Scan() {
		return false
	}
	var e rotation.Event
	if err := json.Unmarshal(r.lines.Bytes(), &e); err != nil && r.lines.Scan() {
		r.w.Fatalf("an event cannot be read: %v", err)
	} else if err != nil {
		return false // half a line: it was killed
	}
	r.events = append(r.events, e)
	return true
}

// comesTo waits until an event says that step is in state; false if the run ends before.
func (r *running) comesTo(step string, state rotation.Phase) bool {
	r.w.Helper()
	for r.next() {
		if e := r.events[len(r.events)-1]; e.Step == step && e.State == state {
			return true
		}
	}
	return false
}

// ended waits for the end of the run.
func (r *running) ended() result {
	r.w.Helper()
	for r.next() {
	}
	err := r.Wait()
	if err != nil && r.ProcessState == nil {
		r.w.Fatalf("waiting for %v: %v", r.args, err)
	}
	return result{args: r.args, code: r.ProcessState.ExitCode(), stderr: r.stderr.String()}
}

// killed ends the run at once.
func (r *running) killed() {
	r.w.Helper()
	r.w.must("killing", r.Process.Kill())
	r.ended()
}

// killedWhen kills the run when something happens; false if it ended before.
func (r *running) killedWhen(it <-chan struct{}) (result, bool) {
	r.w.Helper()
	ended := make(chan result, 1)
	go func() { ended <- r.ended() }()
	select {
	case end := <-ended:
		return end, false
	case <-it:
		r.w.must("killing", r.Process.Kill())
		return <-ended, true
	}
}

// waits runs a command as the restricted user until its standard error has all the words after the
// first of them, and interrupts it: it waits for something, however long the machine takes to get
// there.
func (w *world) waits(words []string, args ...string) result {
	w.Helper()
	c := w.command("restricted", args...)
	var out, said bytes.Buffer
	c.Stdout = &out
	errs, err := c.StderrPipe()
	w.must("piping", err)
	w.must("starting", c.Start())
	lines := bufio.NewScanner(errs)
	interrupted := false
	for lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		_, after, began := strings.Cut(said.String(), words[0])
		missing := func(word string) bool { return !strings.Contains(after, word) }
		if began && !interrupted && !slices.ContainsFunc(words[1:], missing) {
			w.must("interrupting", c.Process.Signal(os.Interrupt))
			interrupted = true
		}
	}
	_ = c.Wait()
	r := result{args: args, code: c.ProcessState.ExitCode(), stdout: out.String(), stderr: said.String()}
	if !interrupted || r.code != 130 {
		w.Fatalf("it ended before it said all of %q: %s", words, r)
	}
	return r
}
