package workload

import (
	"context"
	"math/rand/v2"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// How long to wait before a watch that ended is begun anew: longer each time that it can't be, up to the second.
const (
	soon = 500 * time.Millisecond
	late = 30 * time.Second
)

// Changes sends whenever something about a consumer may have changed: a pod that reads the Secret, or a workload whose
// template does. Signals that nobody has taken yet become one. It goes on through restarts of the API server, and sends
// after each of them. It falls silent when ctx ends; the channel is
// never closed.
func (c *Consumers) Changes(ctx context.Context) <-chan struct{} {
	changed := make(chan struct{}, 1)
	signal := func() {
		select {
		case changed <- struct{}{}:
		default: // there is one that nobody has taken yet
		}
	}
	apps := c.Client.AppsV1()
	go follow(ctx, c.Client.CoreV1().Pods(c.Namespace), c.concerns, signal)
	go follow(ctx, apps.Deployments(c.Namespace), c.concerns, signal)
	go follow(ctx, apps.StatefulSets(c.Namespace), c.concerns, signal)
	go follow(ctx, apps.DaemonSets(c.Namespace), c.concerns, signal)
	return changed
}

// concerns says whether o, or what it makes, reads the Secret.
func (c *Consumers) concerns(o runtime.Object) bool {
	switch o := o.(type) {
	case *corev1.Pod:
		return c.reads(&o.Spec)
	case *appsv1.Deployment:
		return c.reads(&o.Spec.Template.Spec)
	case *appsv1.StatefulSet:
		return c.reads(&o.Spec.Template.Spec)
	case *appsv1.DaemonSet:
		return c.reads(&o.Spec.Template.Spec)
	}
	return false
}

// resource is one kind of object in a namespace.
type resource[L metav1.ListInterface] interface {
	List(context.Context, metav1.ListOptions) (L, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
}

// follow watches one kind until ctx ends.
func follow[L metav1.ListInterface](ctx context.Context, r resource[L], concerns func(runtime.Object) bool, signal func()) {
	pause := soon
	for {
		if watchOnce(ctx, r, concerns, signal) {
			pause = soon
		}
		rest := time.NewTimer(pause + rand.N(pause))
		select {
		case <-ctx.Done():
			rest.Stop()
			return
		case <-rest.C:
		}
		pause = min(2*pause, late)
	}
}

// watchOnce watches from now on, until the watch ends. It gives false if it could not begin. A list of one object is
// the cheapest way to learn what "now" is: a watch without it would begin with every object there is.
func watchOnce[L metav1.ListInterface](ctx context.Context, r resource[L], concerns func(runtime.Object) bool, signal func()) bool {
	list, err := r.List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return false
	}
	events, err := r.Watch(ctx, metav1.ListOptions{ResourceVersion: list.GetResourceVersion(), AllowWatchBookmarks: true})
	if err != nil {
		return false
	}
	defer events.Stop()
	signal() // for what has changed while nobody watched
	for {
		select {
		case <-ctx.Done():
			return false
		case e, open := <-events.ResultChan():
			if !open || e.Type == watch.Error {
				return true
			}
			if e.Type != watch.Bookmark && concerns(e.Object) {
				signal()
			}
		}
	}
}
