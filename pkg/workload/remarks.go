package workload

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Preflight looks at the consumers before a rotation begins. The notes, one a line, are what an operator should know;
// the items are what he has to agree to: what is down while it rolls, what does not roll by itself. It changes nothing.
func (c *Consumers) Preflight(ctx context.Context) (notes []string, asks []rotation.Item, err error) {
	groups, m, err := c.survey(ctx)
	if err == nil {
		err = c.lacks(groups)
	}
	if err != nil {
		return nil, nil, err
	}
	found := 0
	for _, g := range groups {
		if c.keeps(g.controller) {
			continue
		}
		found++
		for _, text := range slices.Concat(g.asks, templateAsks(g, c.names())) {
			asks = append(asks, rotation.Item{Name: g.id(), Note: text})
		}
		for _, text := range g.remarks {
			notes = append(notes, g.id()+": "+text)
		}
		for _, p := range g.pods {
			if m.unreachable(p) {
				notes = append(notes, fmt.Sprintf("%s: the node of pod %s does not report: what runs there can't be known", g.id(), p.Name))
			}
		}
	}
	if found == 0 {
		notes = append(notes, fmt.Sprintf("nothing in namespace %s reads secret %s: who uses it will be seen at the server alone", c.Namespace, strings.Join(c.names(), ", ")))
	}
	return notes, asks, nil
}

// lacks refuses where a workload that is named as a consumer is not there: nothing would roll what is meant.
func (c *Consumers) lacks(groups []*group) error {
	for _, name := range c.More {
		if !slices.ContainsFunc(groups, func(g *group) bool { return g.id() == name }) {
			return rotation.Refuse(rotation.WithHint(
				fmt.Errorf("there is no %s in namespace %s, which the configuration names as a consumer", name, c.Namespace),
				"mend its name under consumers, or take it out"))
		}
	}
	return nil
}

func deploymentAsks(d *appsv1.Deployment) (all []string) {
	surge := intstr.FromString("25%")
	if r := d.Spec.Strategy.RollingUpdate; r != nil && r.MaxSurge != nil {
		surge = *r.MaxSurge
	}
	extra, err := intstr.GetScaledValueFromIntOrPercent(&surge, int(replicas(d.Spec.Replicas)), true)
	switch {
	case d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType:
		all = append(all, "strategy Recreate: all its pods end before new ones start")
	case err == nil && extra == 0 && replicas(d.Spec.Replicas) == 1:
		all = append(all, "one replica and maxSurge 0: its pod ends before the new one starts")
	}
	return all
}

func statefulSetAsks(s *appsv1.StatefulSet) (all []string) {
	if replicas(s.Spec.Replicas) == 1 {
		all = append(all, "one replica of a StatefulSet: its pod ends before the new one starts")
	}
	return all
}

// onDelete is why the pods of a workload with that strategy do not move.
const onDelete = "strategy OnDelete: each of its pods moves only when somebody deletes it"

// The reasons why a controller leaves old pods as they are for as long as nobody does something about it; "" where there
// is none.
func deploymentHold(d *appsv1.Deployment) string {
	if d.Spec.Paused {
		return "it is paused: its pods do not move before somebody resumes it"
	}
	return ""
}

func statefulSetHold(s *appsv1.StatefulSet) string {
	update := s.Spec.UpdateStrategy
	switch {
	case update.Type == appsv1.OnDeleteStatefulSetStrategyType:
		return onDelete
	case update.RollingUpdate != nil && update.RollingUpdate.Partition != nil && *update.RollingUpdate.Partition > 0:
		return fmt.Sprintf("partition %d: its pods below that number do not move before somebody lowers it", *update.RollingUpdate.Partition)
	}
	return ""
}

func daemonSetHold(d *appsv1.DaemonSet) string {
	if d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
		return onDelete
	}
	return ""
}

// commonRemarks are about who else has a say in the object.
func commonRemarks(m *metav1.ObjectMeta) (all []string) {
	if ref := metav1.GetControllerOf(m); ref != nil {
		all = append(all, fmt.Sprintf("%s %s controls it, and may take the label on its template away", ref.Kind, ref.Name))
	}
	return all
}

// templateAsks are about what new pods are made from.
func templateAsks(g *group, secrets []string) (all []string) {
	if g.held != "" {
		all = append(all, g.held)
	}
	if g.template == nil {
		return all
	}
	if g.desired > 0 && slices.ContainsFunc(g.template.Spec.Containers, func(c corev1.Container) bool { return c.ReadinessProbe == nil }) {
		all = append(all, "a container has no readiness probe: a new pod counts as ready as soon as it runs")
	}
	if byReloader(g.annotations, secrets) || byReloader(g.template.Annotations, secrets) {
		all = append(all, "Reloader restarts it when the Secret changes: it rolls twice")
	}
	return all
}

// byReloader says whether annotations have Stakater's Reloader restart a workload when the Secret changes.
func byReloader(annotations map[string]string, secrets []string) bool {
	for _, on := range []string{"reloader.stakater.com/auto", "secret.reloader.stakater.com/auto", "reloader.stakater.com/search"} {
		if annotations[on] == "true" {
			return true
		}
	}
	names := strings.Split(annotations["secret.reloader.stakater.com/reload"], ",")
	return slices.ContainsFunc(names, func(name string) bool { return slices.Contains(secrets, strings.TrimSpace(name)) })
}
