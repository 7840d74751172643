package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	utilexec "k8s.io/client-go/util/exec"
	"k8s.io/klog/v2"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// longestComplaint bounds what is kept of a relay's stderr: its end.
const longestComplaint = 4 << 10

const otherWays = "use --via=port-forward, or --via=direct where the server can be reached from here"

// relaying carries one connection through a command in the container.
type relaying struct {
	conn      *conn
	upgrader  *spdyUpgrader
	complaint tail
	what      string // for errors
	greeter   *greeter
	result    error // of the command, once conn.over is closed
}

// execute starts the relay in the container and waits for its greeting.
func (d *Dialer) execute(ctx context.Context, t target) (*relaying, error) {
	r := &relaying{conn: newConn(t.address), what: fmt.Sprintf("relay to %s of pod %s", t.inPod(), d.pod())}
	r.greeter = &greeter{to: r.conn.toUser, done: make(chan struct{})}
	executor, err := r.executor(d.Clients.Config, d.execRequest(t))
	if err != nil {
		return nil, err
	}
	life, end := relayLife(ctx)
	over := make(chan struct{})
	r.conn.end, r.conn.over = end, over
	go func() {
		defer close(over)
		defer end()
		r.run(life, executor)
	}()
	select {
	case <-r.greeter.done:
		if err := r.greeter.err; err != nil {
			end()
			return nil, fmt.Errorf("%s: %w", r.what, err)
		}
		r.conn.relay = r.greeter.name
		return r, nil
	case <-over:
		return nil, r.result
	case <-ctx.Done():
		end()
		select { // it is over in no time, unless a proxy holds up the handshake
		case <-over:
		case <-time.After(cutOff):
		}
		return nil, context.Cause(ctx)
	}
}

// relayLife is the context of a relay's whole life. It does not end with the dial's, and when it ends the network
// connection is closed, in a handshake too. It silences the library, which logs each broken stream as an error.
func relayLife(dial context.Context) (context.Context, context.CancelFunc) {
	life, end := context.WithCancel(context.WithoutCancel(dial))
	life = klog.NewContext(life, logr.Discard())
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		context.AfterFunc(life, func() { _ = info.Conn.Close() })
	}}
	return httptrace.WithClientTrace(life, trace), end
}

func (d *Dialer) execRequest(t target) *rest.Request {
	return d.subresource("exec").VersionedParams(&corev1.PodExecOptions{
		Container: d.Container, Command: relayCommand(t), Stdin: true, Stdout: true, Stderr: true,
	}, scheme.ParameterCodec)
}

// executor runs over a WebSocket, or SPDY where that is not to be had.
func (r *relaying) executor(config *rest.Config, request *rest.Request) (remotecommand.Executor, error) {
	first, err := remotecommand.NewWebSocketExecutor(config, http.MethodGet, request.URL().String())
	if err != nil {
		return nil, err
	}
	if r.upgrader, err = newSPDYUpgrader(config); err != nil {
		return nil, err
	}
	second, err := remotecommand.NewSPDYExecutorForTransports(
		r.upgrader, spdy.NewUpgraderForStreaming(r.upgrader), http.MethodPost, request.URL())
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(first, second, needsSPDY)
}

func (r *relaying) run(life context.Context, executor remotecommand.Executor) {
	err := executor.StreamWithContext(life, remotecommand.StreamOptions{
		Stdin: r.conn.fromUser, Stdout: r.greeter, Stderr: &r.complaint,
	})
	r.result = r.verdict(err)
	if r.result == nil && r.greeter.greeted() {
		r.conn.hangUp()
		_ = r.conn.fromUser.Close() // nobody is left to write to
		return
	}
	if r.result == nil {
		r.result = fmt.Errorf("%s said nothing", r.what)
	}
	r.conn.fail(r.result)
}

// verdict says why the relay ended: nil for a server that closed its connection.
func (r *relaying) verdict(err error) error {
	var exit utilexec.CodeExitError
	var status apierrors.APIStatus
	said := r.complaint.String()
	switch {
	case errors.As(err, &status), isClosed(r.conn.closed):
		return err
	case errors.As(err, &exit):
		return r.exited(exit.Code, said)
	case err == nil && !r.upgrader.lost():
		return nil
	case err == nil, r.greeter.greeted(): // err speaks of frames and streams
		return fmt.Errorf("%s: %w", r.what, ErrLostConnection)
	case strings.Contains(err.Error(), `exec: "sh"`):
		return rotation.WithHint(fmt.Errorf("%s: the container has no shell: %w", r.what, err), otherWays)
	}
	return fmt.Errorf("%s: %w", r.what, err)
}

// exited turns the relay's own failure into words.
func (r *relaying) exited(code int, said string) error {
	switch {
	case strings.Contains(strings.ToLower(said), "connection refused"):
		return refused(r.what)
	case code == noRelay:
		return rotation.WithHint(fmt.Errorf("%s: %s", r.what, said), otherWays)
	case said == "":
		return fmt.Errorf("%s: exit code %d", r.what, code)
	}
	return fmt.Errorf("%s: %s", r.what, said)
}

// lost says whether the connection broke, which SPDY's executor does not tell from a command that ended well.
func (u *spdyUpgrader) lost() bool { return u.carrier != nil && u.carrier.failed.Load() }

// greeter takes the greeting off what the relay prints, and passes the rest on to the user.
type greeter struct {
	to   io.Writer
	done chan struct{} // closed when the greeting has come, or can't come any more
	head []byte
	name string // of the program that relays; read it after done
	err  error  // something else has come; read it after done
}

func (g *greeter) Write(p []byte) (int, error) {
	if isClosed(g.done) {
		return g.pass(p, len(p))
	}
	g.head = append(g.head, p...)
	line, rest, found := bytes.Cut(g.head, []byte("\n"))
	if !found && len(g.head) < longestGreeting {
		return len(p), nil
	}
	if name, ok := bytes.CutPrefix(line, []byte(greeting)); found && ok {
		g.name = string(name)
	} else {
		g.err = fmt.Errorf("it printed %.64q, not the greeting", g.head)
	}
	close(g.done)
	return g.pass(rest, len(p))
}

// pass gives p to the user, as size bytes taken.
func (g *greeter) pass(p []byte, size int) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	if len(p) > 0 {
		if _, err := g.to.Write(p); err != nil {
			return 0, err
		}
	}
	return size, nil
}

// greeted says whether the relay runs.
func (g *greeter) greeted() bool { return isClosed(g.done) && g.err == nil }

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	kept []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, p...)
	if over := len(t.kept) - longestComplaint; over > 0 {
		t.kept = append([]byte(nil), t.kept[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.kept))
}
