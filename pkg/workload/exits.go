package workload

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Exits follows the pods that read the Secret, from now on until ctx ends: what it gives are those that it has seen, with
// the ends of those that have ended. A pod that is gone without its kubelet having reported the end of its containers has
// none: what became of them is not known.
func (c *Consumers) Exits(ctx context.Context) func() []rotation.Exit {
	e := newExits(c)
	go func() {
		for ctx.Err() == nil {
			if err := e.follow(ctx); err != nil {
				pauseFor(ctx, soon)
			}
		}
	}()
	return e.all
}

// exits are the pods that were seen so far.
type exits struct {
	c    *Consumers
	mu   sync.Mutex
	seen map[types.UID]rotation.Exit
}

func newExits(c *Consumers) *exits { return &exits{c: c, seen: map[types.UID]rotation.Exit{}} }

func (e *exits) all() []rotation.Exit {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.SortedFunc(maps.Values(e.seen), func(a, b rotation.Exit) int { return strings.Compare(a.Name, b.Name) })
}

// follow lists the pods, and then sees each change until the watch ends.
func (e *exits) follow(ctx context.Context) error {
	pods := e.c.Client.CoreV1().Pods(e.c.Namespace)
	list, err := pods.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	there := map[types.UID]bool{}
	for i := range list.Items {
		there[list.Items[i].UID] = true
		e.saw(&list.Items[i], false)
	}
	e.missing(there)
	events, err := pods.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion, AllowWatchBookmarks: true})
	if err != nil {
		return err
	}
	defer events.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, open := <-events.ResultChan():
			if !open || event.Type == watch.Error {
				return nil
			}
			if p, ok := event.Object.(*corev1.Pod); ok && event.Type != watch.Bookmark {
				e.saw(p, event.Type == watch.Deleted)
			}
		}
	}
}

// saw takes down one pod as it is now.
func (e *exits) saw(p *corev1.Pod, gone bool) {
	if len(e.c.More) == 0 && !e.c.reads(&p.Spec) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	x, known := e.seen[p.UID]
	if !known && !isLive(p) {
		return // it was over before
	}
	m := moment{secrets: e.c.names(), label: Label(e.c.Secret), now: e.c.now()}
	if !known {
		x.Seen = m.now
	}
	at := x.Started
	if x.Pod = m.pod(p); len(x.Started) == 0 {
		x.Started = at
	}
	x.Gone = x.Gone || gone
	if since := readySince(p); !since.IsZero() && x.Became.IsZero() {
		x.Became = since
	}
	switch {
	case ended(p):
		x.Ended = endOf(p)
	case !isLive(p):
		x.Gone = true // somebody says that it is over, and no kubelet
	}
	e.seen[p.UID] = x
}

// missing marks those that are gone and were not seen to go: nobody watched just then.
func (e *exits) missing(there map[types.UID]bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for uid, x := range e.seen {
		if !there[uid] {
			x.Gone = true
			e.seen[uid] = x
		}
	}
}

func readySince(p *corev1.Pod) time.Time {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c.LastTransitionTime.Time
		}
	}
	return time.Time{}
}

// endOf is when the last container of p ended. Kubelets report whole seconds, cut off: the end of that second is the
// earliest by which it surely was.
func endOf(p *corev1.Pod) (last time.Time) {
	for _, s := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if t := s.State.Terminated; t != nil && t.FinishedAt.After(last) {
			last = t.FinishedAt.Time
		}
	}
	if last.IsZero() {
		return last
	}
	return last.Add(time.Second)
}

func pauseFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// Cut ends pods, all of them at once, with a second to finish. One that fails keeps no other.
func (c *Consumers) Cut(ctx context.Context, pods []rotation.Pod) error {
	var all sync.WaitGroup
	errs := make([]error, len(pods))
	for i, p := range pods {
		all.Go(func() { errs[i] = c.cut(ctx, p) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// cut evicts p; where a budget does not allow that it is deleted, which takes a permission of its own. A pod that is ending
// already has its time cut short.
func (c *Consumers) cut(ctx context.Context, p rotation.Pod) error {
	found, err := c.Client.CoreV1().Pods(c.Namespace).Get(ctx, p.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case err != nil:
		return c.explain("get", "pods "+p.Name, err)
	case !found.CreationTimestamp.Time.Equal(p.Created):
		return nil
	}
	second := int64(1)
	options := metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(found.UID)), GracePeriodSeconds: &second}
	err = c.Client.PolicyV1().Evictions(c.Namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Name: p.Name, Namespace: c.Namespace}, DeleteOptions: &options,
	})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
		err = c.Client.CoreV1().Pods(c.Namespace).Delete(ctx, p.Name, options)
	}
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return fmt.Errorf("ending it past its disruption budget: %w", c.explain("delete", "pods "+p.Name, err))
}
