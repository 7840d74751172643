package gate

import (
	"bufio"
	"context"
	"io"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
)

// Container is one whose log is read.
type Container struct{ Namespace, Pod, Name string }

// Tail reads the logs of containers, each line once, over many looks. What a kubelet has thrown away before it was read is not
// seen. Its methods may be called from any goroutine, for one container from one at a time.
type Tail struct {
	Core corev1client.PodsGetter

	mu   sync.Mutex
	upTo map[Container]time.Time // how far each was read
}

// mostLogged is how many bytes of a log are asked for at once.
const mostLogged = 8 << 20

// Read hands over the whole lines that the kubelet has got since then, and that were not handed over before, each with when it
// did, to the end of the log. What came before an error counts as read. The API server's own errors are NotFound for a pod that is gone, and
// BadRequest for a container that has not started.
func (t *Tail) Read(ctx context.Context, c Container, since time.Time, line func(at time.Time, text string)) error {
	for most := int64(mostLogged); ; {
		from := t.from(c, since)
		n, err := t.once(ctx, c, from, most, line)
		switch {
		case err != nil || n < most:
			return err
		case !t.from(c, since).After(from):
			most *= 2 // logs are asked for by the second, and there is more in this one
		}
	}
}

// once reads up to most bytes, and says how many there were.
func (t *Tail) once(ctx context.Context, c Container, from time.Time, most int64, line func(at time.Time, text string)) (n int64, err error) {
	start := metav1.NewTime(from)
	log, err := t.Core.Pods(c.Namespace).GetLogs(c.Pod, &corev1.PodLogOptions{
		Container: c.Name, SinceTime: &start, Timestamps: true, LimitBytes: &most,
	}).Stream(ctx)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	lines := bufio.NewReader(log)
	for {
		text, err := lines.ReadString('\n')
		n += int64(len(text))
		stamp, rest, _ := strings.Cut(strings.TrimSuffix(text, "\n"), " ")
		if at, bad := time.Parse(time.RFC3339Nano, stamp); bad == nil && at.After(from) && strings.HasSuffix(text, "\n") {
			t.read(c, at)
			line(at, rest)
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func (t *Tail) from(c Container, since time.Time) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := t.upTo[c]; at.After(since) {
		return at
	}
	return since
}

func (t *Tail) read(c Container, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.upTo == nil {
		t.upTo = map[Container]time.Time{}
	}
	t.upTo[c] = at
}
