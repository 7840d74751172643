package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	kubeletexec "k8s.io/cri-streaming/pkg/streaming/remotecommand"
	"k8s.io/streaming/pkg/httpstream/wsstream"
	utilexec "k8s.io/utils/exec"
)

// toLoopback forwards to this machine's ports as a container runtime does to those of a pod.
type toLoopback struct{}

func (toLoopback) PortForward(_ context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	server, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return fmt.Errorf("failed to connect to localhost:%d inside namespace: %w", port, err)
	}
	defer server.Close()
	var copying sync.WaitGroup
	copying.Go(func() { _, _ = io.Copy(server, stream); _ = server.(*net.TCPConn).CloseWrite() })
	copying.Go(func() { _, _ = io.Copy(stream, server); _ = stream.Close() })
	copying.Wait()
	return nil
}

// localExec runs commands on this machine, with nothing on the PATH but what the test allows.
type localExec struct {
	path string // a folder of links

	mu     sync.Mutex
	groups []int // process groups that were started
	failed error // if not nil, what the runtime answers instead
}

// newLocalExec links each program into a PATH of its own; "name=/path" gives one another name.
func newLocalExec(t *testing.T, programs ...string) *localExec {
	t.Helper()
	e := &localExec{path: t.TempDir()}
	for _, p := range programs {
		e.link(t, p, p)
	}
	return e
}

func (e *localExec) link(t *testing.T, name, program string) {
	t.Helper()
	target, err := exec.LookPath(program)
	if err != nil {
		t.Skipf("needs %s", program)
	}
	if err := os.Symlink(target, filepath.Join(e.path, name)); err != nil {
		t.Fatal(err)
	}
}

// ExecInContainer is what a runtime does: start, carry the three streams, wait, tell the exit code.
func (e *localExec) ExecInContainer(_ context.Context, _, _, _ string, command []string, in io.Reader, out, errs io.WriteCloser, _ bool, _ <-chan kubeletexec.TerminalSize, _ time.Duration) error {
	if e.failed != nil {
		return e.failed
	}
	cmd := exec.Command(filepath.Join(e.path, command[0]), command[1:]...)
	cmd.Env = []string{"PATH=" + e.path}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdout, cmd.Stderr = out, errs
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	e.mu.Lock()
	e.groups = append(e.groups, cmd.Process.Pid)
	e.mu.Unlock()
	go func() {
		_, _ = io.Copy(stdin, in)
		_ = stdin.Close()
	}()
	err = cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return utilexec.CodeExitError{Err: err, Code: max(exit.ExitCode(), 1)}
	}
	return err
}

// running says whether any process of any command is left.
func (e *localExec) running() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.groups, func(group int) bool {
		return syscall.Kill(-group, 0) == nil
	})
}

// serveWebSocket is the API server's end of v5.channel.k8s.io.
func (e *localExec) serveWebSocket(w http.ResponseWriter, r *http.Request) {
	channels := []wsstream.ChannelType{wsstream.ReadChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.WriteChannel, wsstream.ReadChannel}
	conn := wsstream.NewConn(map[string]wsstream.ChannelProtocolConfig{
		"v5.channel.k8s.io": {Binary: true, Channels: channels},
	})
	_, streams, err := conn.Open(w, r)
	if err != nil {
		return
	}
	defer conn.Close()
	err = e.ExecInContainer(r.Context(), "", "", "", r.URL.Query()["command"], streams[0], streams[1], streams[2], false, nil, 0)
	_, _ = io.WriteString(streams[3], statusOf(err))
}

func statusOf(err error) string {
	var exit utilexec.ExitError
	switch {
	case err == nil:
		return `{"status":"Success"}`
	case errors.As(err, &exit):
		return fmt.Sprintf(`{"status":"Failure","reason":"NonZeroExitCode","details":{"causes":[{"reason":"ExitCode","message":"%d"}]}}`, exit.ExitStatus())
	}
	return fmt.Sprintf(`{"status":"Failure","reason":"InternalError","message":%q}`, "error executing command in container: "+err.Error())
}

// await polls until done, and fails the test if that takes too long.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-deadline.C:
			stacks := make([]byte, 1<<20)
			t.Fatalf("waited too long: %s\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
