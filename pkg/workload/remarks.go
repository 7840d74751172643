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
)

// Preflight says, one a line, what an operator should know about the consumers before a rotation begins: what is down
// while it rolls, what does not roll by itself, what can't be told. It changes nothing.
func (c *Consumers) Preflight(ctx context.Context) (notes []string, err error) {
	groups, m, err := c.survey(ctx)
	if err != nil {
		return nil, err
	}
	found := 0
	for _, g := range groups {
		if c.keeps(g.controller) {
			continue
		}
		found++
		for _, text := range slices.Concat(g.remarks, templateRemarks(g, c.Secret)) {
			notes = append(notes, g.id()+": "+text)
		}
		for _, p := range g.pods {
			if m.unreachable(p) {
				notes = append(notes, fmt.Sprintf("%s: the node of pod %s does not report: what runs there can't be known", g.id(), p.Name))
			}
		}
	}
	if found == 0 {
		notes = append(notes, fmt.Sprintf("nothing in namespace %s reads secret %s: who uses it will be seen at the server alone", c.Namespace, c.Secret))
	}
	return notes, nil
}

func deploymentRemarks(d *appsv1.Deployment) (all []string) {
	if d.Spec.Paused {
		all = append(all, "it is paused: its pods do not move before it is resumed")
	}
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
	return append(all, commonRemarks(&d.ObjectMeta)...)
}

func statefulSetRemarks(s *appsv1.StatefulSet) (all []string) {
	update := s.Spec.UpdateStrategy
	switch {
	case update.Type == appsv1.OnDeleteStatefulSetStrategyType:
		all = append(all, "strategy OnDelete: each of its pods moves only when somebody deletes it")
	case update.RollingUpdate != nil && update.RollingUpdate.Partition != nil && *update.RollingUpdate.Partition > 0:
		all = append(all, fmt.Sprintf("partition %d: its pods below that number do not move", *update.RollingUpdate.Partition))
	case replicas(s.Spec.Replicas) == 1:
		all = append(all, "one replica of a StatefulSet: its pod ends before the new one starts")
	}
	return append(all, commonRemarks(&s.ObjectMeta)...)
}

func daemonSetRemarks(d *appsv1.DaemonSet) (all []string) {
	if d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
		all = append(all, "strategy OnDelete: each of its pods moves only when somebody deletes it")
	}
	return append(all, commonRemarks(&d.ObjectMeta)...)
}

// commonRemarks are about who else has a say in the object.
func commonRemarks(m *metav1.ObjectMeta) (all []string) {
	if ref := metav1.GetControllerOf(m); ref != nil {
		all = append(all, fmt.Sprintf("%s %s controls it, and may take the label on its template away", ref.Kind, ref.Name))
	}
	return all
}

// templateRemarks are about what new pods are made from.
func templateRemarks(g *group, secret string) (all []string) {
	if g.template == nil {
		return nil
	}
	if g.desired > 0 && slices.ContainsFunc(g.template.Spec.Containers, func(c corev1.Container) bool { return c.ReadinessProbe == nil }) {
		all = append(all, "a container has no readiness probe: a new pod counts as ready as soon as it runs")
	}
	if byReloader(g.annotations, secret) || byReloader(g.template.Annotations, secret) {
		all = append(all, "Reloader restarts it when the Secret changes: it rolls twice")
	}
	return all
}

// byReloader says whether annotations have Stakater's Reloader restart a workload when the Secret changes.
func byReloader(annotations map[string]string, secret string) bool {
	for _, on := range []string{"reloader.stakater.com/auto", "secret.reloader.stakater.com/auto", "reloader.stakater.com/search"} {
		if annotations[on] == "true" {
			return true
		}
	}
	names := strings.Split(annotations["secret.reloader.stakater.com/reload"], ",")
	return slices.ContainsFunc(names, func(name string) bool { return strings.TrimSpace(name) == secret })
}
