package gate

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Pod is a live pod of a consumer that is not on its way out.
type Pod struct {
	Namespace  string
	Name       string
	Workload   string   // "deployment/backend"
	Containers []string // without those that only run before
	Port       int      // that it is asked at whether it is ready; 0 where it declares none
	Known      rotation.Pod
}

// key tells p from all other pods.
func (p Pod) key() string { return p.Namespace + "/" + p.Name }

// Pods lists the pods of all consumers.
type Pods func(context.Context) ([]Pod, error)

// mostAtOnce is how many pods are asked at once.
const mostAtOnce = 16

// each calls f for every pod, some at once, and gives what it returned, in the order of pods.
func each[T any](pods []Pod, f func(Pod) T) []T {
	all := make([]T, len(pods))
	slots := make(chan struct{}, mostAtOnce)
	var running sync.WaitGroup
	for i, p := range pods {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			all[i] = f(p)
		})
	}
	running.Wait()
	return all
}

// switchedAt is when the new version became the active one.
func switchedAt(rec rotation.Record) (at time.Time, ok bool) {
	if rec.Intent == nil {
		return time.Time{}, false
	}
	for _, e := range slices.Backward(rec.Editions) {
		if e.View.Active != rec.Intent.To {
			break
		}
		at, ok = e.Written, true
	}
	return at, ok
}

// isNew says whether a pod can only be on the new version.
func isNew(p Pod, rec rotation.Record, skew time.Duration) bool {
	views := rotation.MayHold(p.Known, rec.Editions, skew)
	return len(views) > 0 && !slices.ContainsFunc(views, func(v rotation.View) bool { return v.Active != rec.Intent.To })
}
