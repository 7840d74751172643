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
	// Refused reports which clients the server itself has refused, as of [Refusals]; nil, or an error: that is not known.
	Refused func(ctx context.Context, since time.Time, cs []rotation.Credential) ([]rotation.Refusal, error)
	Corroborator

	found sync.Map // of Pod.key to *line: what was found in the log of each pod
}

// line is the newest line of a pod's log that fits, and how many there are.
type line struct {
	at    time.Time
	count int
	text  string // as the pod wrote it
}

const (
	mostShown = 200 // characters of a line that are shown
	// mostRedacted is how long a line may be to be shown, in bytes: values are looked for in all of it.
	mostRedacted = 16 << 10
)

// Look is bad when a pod on the new version has logged lines that fit the pattern, and something else confirms it.
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
	good := fmt.Sprintf("no such line from %d pods since %s UTC", len(pods), since.UTC().Format(time.TimeOnly))
	return l.judge(ctx, rec, l.findings(ctx, rec, since, pods), good)
}

// findings are what the logs of these pods have shown so far. The server confirms one whose pod it has refused since.
func (l *Logs) findings(ctx context.Context, rec rotation.Record, since time.Time, pods []Pod) (all []finding) {
	for _, p := range pods {
		if found, ok := l.found.Load(p.key()); ok {
			seen := *found.(*line)
			all = append(all, finding{
				pod: p, last: seen.at, count: seen.count,
				note: fmt.Sprintf("logged %d such lines, the last at %s UTC: %s", seen.count, seen.at.UTC().Format(time.TimeOnly), rotation.Said(l.shown(seen.text))),
			})
		}
	}
	target, staged := rec.Target()
	if len(all) == 0 || l.Refused == nil || !staged {
		return all
	}
	refused, _ := l.Refused(ctx, since, append(rec.Others(), target)) // not known is no confirmation
	for i, f := range all {
		all[i].server = slices.ContainsFunc(refused, func(r rotation.Refusal) bool { return comesFrom(r, f.pod.Known) })
	}
	return all
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
				l.saw(p, at, text)
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

// saw notes a line of a pod's log, as it is: to make one fit to be shown takes time, and a pod decides how many there are. The containers of one pod are read one after the other.
func (l *Logs) saw(p Pod, at time.Time, text string) {
	found, _ := l.found.LoadOrStore(p.key(), &line{})
	seen := found.(*line)
	seen.count++
	if !at.Before(seen.at) {
		seen.at, seen.text = at, text
	}
}

// shown is a line as it may be shown.
func (l *Logs) shown(text string) string {
	if len(text) > mostRedacted {
		return fmt.Sprintf("(a line of %d bytes)", len(text))
	}
	if l.Redact != nil {
		text = l.Redact(text)
	}
	if r := []rune(text); len(r) > mostShown {
		return string(r[:mostShown]) + "…"
	}
	return text
}
