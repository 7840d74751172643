package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const (
	logPause    = 5 * time.Second // between two reads of the logs
	logPatience = 5 * time.Second // for one of a pod's; what was read until then counts
)

// ServerLog reads the logs of a server's pods for logins that were turned away, each line once. What the kubelet has cut off
// before it was read, it does not see. Set the exported fields before its first use.
type ServerLog struct {
	Tail      *Tail
	Namespace string
	Container string
	Pods      []string
	// Unlogged says why the logs may not tell; "" where they do.
	Unlogged func(context.Context) (why string, err error)
	// Refusal is whose login a line says was turned away, where it is one of logins, and from where.
	Refusal func(line string, logins []string) (login, address string, ok bool)
	Now     func() time.Time

	why   *string // what Unlogged said
	err   error   // of the last read
	next  time.Time
	found map[loggedClient]*rotation.Refusal
}

// loggedClient is a client as the log tells it from others.
type loggedClient struct{ login, address string }

// Missed is who was turned away with one of refused since then, the first one first. It is a [rotation.Environment]'s Missed.
func (l *ServerLog) Missed(ctx context.Context, since time.Time, refused []rotation.Credential) ([]rotation.Refusal, error) {
	if now := l.Now(); !now.Before(l.next) {
		l.next = now.Add(logPause)
		l.err = l.read(ctx, since, refused)
	}
	var all []rotation.Refusal
	for _, r := range l.found {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b rotation.Refusal) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.ID+" "+a.Address, b.ID+" "+b.Address))
	})
	return all, l.err
}

func (l *ServerLog) read(ctx context.Context, since time.Time, refused []rotation.Credential) error {
	if l.why == nil {
		why, err := l.Unlogged(ctx)
		if err != nil {
			return err
		}
		l.why, l.found = &why, map[loggedClient]*rotation.Refusal{}
	}
	var logins []string
	for _, c := range refused {
		logins = append(logins, c.ID)
	}
	for _, pod := range l.Pods {
		if err := l.readPod(ctx, pod, since, logins); err != nil {
			return err
		}
	}
	switch {
	case len(l.Pods) == 0:
		return errors.New("the server runs in no pod whose log could be read")
	case *l.why != "" && len(l.found) == 0:
		return errors.New(*l.why)
	}
	return nil
}

// readPod goes on with the log of one pod.
func (l *ServerLog) readPod(ctx context.Context, pod string, since time.Time, logins []string) error {
	limited, cancel := context.WithTimeout(ctx, logPatience)
	defer cancel()
	err := l.Tail.Read(limited, Container{Namespace: l.Namespace, Pod: pod, Name: l.Container}, since, func(at time.Time, text string) {
		if login, address, ok := l.Refusal(text, logins); ok {
			l.count(loggedClient{login, address}, at)
		}
	})
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("that takes the permission to get pods/log in namespace %s", l.Namespace)
	}
	if err != nil && (ctx.Err() != nil || limited.Err() == nil) {
		return fmt.Errorf("reading the log of pod %s/%s: %w", l.Namespace, pod, err)
	}
	return nil
}

func (l *ServerLog) count(s loggedClient, at time.Time) {
	r := l.found[s]
	if r == nil {
		r = &rotation.Refusal{ID: s.login, Address: s.address, First: at}
		l.found[s] = r
	}
	r.Last = at
	r.Count++
}
