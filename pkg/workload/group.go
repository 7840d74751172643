package workload

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// group is a controller with its live pods that read the Secret.
type group struct {
	controller
	pods []*corev1.Pod
}

// workload is g for the domain.
func (m moment) workload(g *group) rotation.Workload {
	w := rotation.Workload{Name: g.id(), Created: g.created, Fixed: g.template == nil, Held: g.held, Desired: g.desired}
	if g.template != nil {
		w.Edition = editionIn(g.template.Labels, m.label)
	}
	slices.SortFunc(g.pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	missing := 0
	for _, p := range g.pods {
		pod := m.pod(p)
		w.Pods = append(w.Pods, pod)
		if pod.Unreachable && g.bound {
			missing++
		}
	}
	w.Desired -= min(missing, w.Desired)
	w.Settled = m.settled(g, missing)
	w.Failed = m.failed(g, w)
	return w
}

// settled says whether g's controller has seen its template and finished with it: all pods of it available, no old
// or terminating one left. Pods that can't be reached are left out, or a rollout would wait for a dead node.
func (m moment) settled(g *group, missing int) bool {
	if !g.observed || !g.through(missing) {
		return false
	}
	if g.template == nil {
		return true
	}
	for _, p := range g.pods {
		if m.unreachable(p) {
			continue
		}
		if p.DeletionTimestamp != nil || g.current != nil && !g.current(p) {
			return false
		}
	}
	return true
}

// failed is why the rollout of w can't go on by itself; "" while it can. A verdict on an older template is none.
func (m moment) failed(g *group, w rotation.Workload) string {
	switch {
	case w.Settled || !g.observed:
		return ""
	case g.verdict != "":
		return blame(g.verdict, w.Pods)
	case !g.slow:
		return ""
	}
	for _, p := range w.Pods {
		if age := m.now.Sub(p.Created); p.Problem != "" && !p.Unreachable && age > rolloutDeadline {
			return blame(fmt.Sprintf("not ready after %s", duration.HumanDuration(age)), []rotation.Pod{p})
		}
	}
	return ""
}
