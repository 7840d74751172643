package gate

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Login stands in a pattern for the logins of the versions of a rotation.
const Login = "{login}"

// Logs looks for lines in what the pods on the new version have logged since the switch, each line once. What a kubelet has
// thrown away before it was read is not seen.
type Logs struct {
	Tail    *Tail
	Pods    Pods
	Pattern string // a regular expression with Login in it, or not
	Skew    time.Duration
	Redact  func(string) string // takes values out of a line before it is shown

	mu    sync.Mutex
	found []string // what was found, and where
}

const (
	mostFound = 20
	mostShown = 200 // characters of a line that are shown
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
		err := l.Tail.Read(ctx, Container{p.Namespace, p.Name, container}, since, func(at time.Time, text string) {
			if pattern.MatchString(text) {
				l.saw(fmt.Sprintf("pod/%s at %s UTC: %s", p.Name, at.UTC().Format(time.TimeOnly), l.shown(text)))
			}
		})
		switch {
		case apierrors.IsNotFound(err):
			return nil // the pod has gone
		case err != nil && !apierrors.IsBadRequest(err): // that container has not started
			return fmt.Errorf("reading the log of pod %s/%s: %w", p.Namespace, p.Name, err)
		}
	}
	return nil
}

func (l *Logs) saw(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.found) < mostFound {
		l.found = append(l.found, line)
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
