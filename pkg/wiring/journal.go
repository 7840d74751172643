package wiring

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/gate"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const (
	journalPause    = 5 * time.Second // between two reads of the logs
	journalPatience = 5 * time.Second // for one of a pod's; what was read until then counts
)

// journal reads the logs of the server's pods for logins that were turned away, each line once. What the kubelet has cut off
// before it was read, it does not see.
type journal struct {
	tail      *gate.Tail
	namespace string
	container string
	pods      []string
	unlogged  func(context.Context) (why string, err error) // why the logs may not say it
	now       func() time.Time

	why   *string // what unlogged said
	err   error   // of the last read
	next  time.Time
	found map[source]*rotation.Refusal
}

// source is a client as the log tells it from others.
type source struct{ login, address string }

// journalOf is that of the server in its pods.
func journalOf(in opening, pods []corev1.Pod, server *postgres.Server) *journal {
	j := &journal{
		tail: &gate.Tail{Core: in.clients.Kube.CoreV1()}, namespace: serverNamespace(in), container: in.server.Container,
		unlogged: server.Unlogged, now: in.clients.Now,
	}
	for _, p := range pods {
		j.pods = append(j.pods, p.Name)
	}
	return j
}

// missed is who was turned away with one of refused since then, the first one first. It is a [rotation.Environment]'s Missed.
func (j *journal) missed(ctx context.Context, since time.Time, refused []rotation.Credential) ([]rotation.Refusal, error) {
	if now := j.now(); !now.Before(j.next) {
		j.next = now.Add(journalPause)
		j.err = j.read(ctx, since, refused)
	}
	var all []rotation.Refusal
	for _, r := range j.found {
		all = append(all, *r)
	}
	slices.SortFunc(all, func(a, b rotation.Refusal) int {
		return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.ID+" "+a.Address, b.ID+" "+b.Address))
	})
	return all, j.err
}

func (j *journal) read(ctx context.Context, since time.Time, refused []rotation.Credential) error {
	if j.why == nil {
		why, err := j.unlogged(ctx)
		if err != nil {
			return err
		}
		j.why, j.found = &why, map[source]*rotation.Refusal{}
	}
	var logins []string
	for _, c := range refused {
		logins = append(logins, c.ID)
	}
	for _, pod := range j.pods {
		if err := j.readPod(ctx, pod, since, logins); err != nil {
			return err
		}
	}
	switch {
	case len(j.pods) == 0:
		return errors.New("the server runs in no pod whose log could be read")
	case *j.why != "" && len(j.found) == 0:
		return errors.New(*j.why)
	}
	return nil
}

// readPod goes on with the log of one pod.
func (j *journal) readPod(ctx context.Context, pod string, since time.Time, logins []string) error {
	limited, cancel := context.WithTimeout(ctx, journalPatience)
	defer cancel()
	err := j.tail.Read(limited, gate.Container{Namespace: j.namespace, Pod: pod, Name: j.container}, since, func(at time.Time, text string) {
		if login, address, ok := postgres.RefusalIn(text, logins); ok {
			j.count(source{login, address}, at)
		}
	})
	if apierrors.IsForbidden(err) {
		return fmt.Errorf("that takes the permission to get pods/log in namespace %s", j.namespace)
	}
	if err != nil && (ctx.Err() != nil || limited.Err() == nil) {
		return fmt.Errorf("reading the log of pod %s/%s: %w", j.namespace, pod, err)
	}
	return nil
}

func (j *journal) count(s source, at time.Time) {
	r := j.found[s]
	if r == nil {
		r = &rotation.Refusal{ID: s.login, Address: s.address, First: at}
		j.found[s] = r
	}
	r.Last = at
	r.Count++
}
