package gate

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Login stands in a pattern for the logins of the versions of a rotation.
const Login = "{login}"

// Logs looks for lines in what the pods on the new version have logged since the switch, each line once. What a kubelet has
// thrown away before it was read is not seen.
type Logs struct {
	Core    corev1client.PodsGetter
	Pods    Pods
	Pattern string // a regular expression with Login in it, or not
	Skew    time.Duration
	Redact  func(string) string // takes values out of a line before it is shown

	mu    sync.Mutex
	upTo  map[string]time.Time // by pod and container, how far its log was read
	found []string             // what was found, and where
}

const (
	mostLogged = 8 << 20 // bytes of a log that are read in one look; the next goes on there
	mostFound  = 20
	mostShown  = 200 // characters of a line that are shown
)

// Look is bad from the first line on that fits the pattern.
func (l *Logs) Look(ctx context.Context, rec rotation.Record) (rotation.Item, error) {
	since, switched := switchedAt(rec)
	if !switched {
		return rotation.Item{Phase: rotation.Waiting, Note: "nothing runs on the new version yet"}, nil
	}
	pattern, err := l.pattern(rec)
	if err != nil {
		return rotation.Item{}, err
	}
	all, err := l.Pods(ctx)
	if err != nil {
		return rotation.Item{}, err
	}
	pods := slices.DeleteFunc(slices.Clone(all), func(p Pod) bool { return !isNew(p, rec, l.Skew) })
	for _, err := range each(pods, func(p Pod) error { return l.read(ctx, p, since, pattern) }) {
		if err != nil {
			return rotation.Item{}, err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.found) > 0 {
		return rotation.Item{Phase: rotation.Failed, Note: l.found[0]}, nil
	}
	return rotation.Item{Phase: rotation.Done, Note: fmt.Sprintf("no such line from %d pods since %s UTC", len(pods), since.UTC().Format(time.TimeOnly))}, nil
}

// pattern is the expression with the logins of this rotation in it.
func (l *Logs) pattern(rec rotation.Record) (*regexp.Regexp, error) {
	var logins []string
	if t, ok := rec.Target(); ok {
		logins = append(logins, regexp.QuoteMeta(t.ID))
	}
	for _, c := range rec.Others() {
		logins = append(logins, regexp.QuoteMeta(c.ID))
	}
	return regexp.Compile(strings.ReplaceAll(l.Pattern, Login, `\b(?:`+strings.Join(logins, "|")+`)\b`))
}

// read goes on with the logs of a pod.
func (l *Logs) read(ctx context.Context, p Pod, since time.Time, pattern *regexp.Regexp) error {
	for _, container := range p.Containers {
		key := p.Namespace + "/" + p.Name + "/" + container
		l.mu.Lock()
		from := since
		if at := l.upTo[key]; at.After(from) {
			from = at
		}
		l.mu.Unlock()
		start, most := metav1.NewTime(from), int64(mostLogged)
		log, err := l.Core.Pods(p.Namespace).GetLogs(p.Name, &corev1.PodLogOptions{
			Container: container, SinceTime: &start, Timestamps: true, LimitBytes: &most,
		}).Stream(ctx)
		switch {
		case apierrors.IsNotFound(err):
			return nil // the pod has gone
		case apierrors.IsBadRequest(err):
			continue // the container has not started
		case err != nil:
			return fmt.Errorf("reading the log of pod %s/%s: %w", p.Namespace, p.Name, err)
		}
		err = l.scan(log, p, key, from, pattern)
		_ = log.Close()
		if err != nil {
			return fmt.Errorf("reading the log of pod %s/%s: %w", p.Namespace, p.Name, err)
		}
	}
	return nil
}

// scan reads lines, each after the time at which the kubelet got it, that are later than from.
func (l *Logs) scan(log io.Reader, p Pod, key string, from time.Time, pattern *regexp.Regexp) error {
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		stamp, text, _ := strings.Cut(strings.TrimRight(line, "\n"), " ")
		if at, bad := time.Parse(time.RFC3339Nano, stamp); bad == nil && at.After(from) && strings.HasSuffix(line, "\n") {
			l.saw(key, at, p, text, pattern.MatchString(text))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (l *Logs) saw(key string, at time.Time, p Pod, text string, fits bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.upTo == nil {
		l.upTo = map[string]time.Time{}
	}
	l.upTo[key] = at
	if fits && len(l.found) < mostFound {
		l.found = append(l.found, fmt.Sprintf("pod/%s at %s UTC: %s", p.Name, at.UTC().Format(time.TimeOnly), l.shown(text)))
	}
}

// shown is a line as it may be shown.
func (l *Logs) shown(text string) string {
	if l.Redact != nil {
		text = l.Redact(text)
	}
	if r := []rune(text); len(r) > mostShown {
		return string(r[:mostShown]) + "…"
	}
	return text
}
