package workload

import (
	"context"

	corev1 "k8s.io/api/core/v1"
)

// Inventory is a workload with the specs of its pods, whatever they read.
type Inventory struct {
	Name     string          // "deployment/backend"
	Template *corev1.PodSpec // nil where it has none that can be changed
	Pods     []*corev1.Pod   // that are alive
}

// Inventory lists every workload of the namespace. It finds them in the same way as Workloads finds
// those that read the Secret, so a reader that one knows the other knows too.
func (c *Consumers) Inventory(ctx context.Context) (all []Inventory, err error) {
	controllers, err := c.controllers(ctx)
	if err != nil {
		return nil, err
	}
	every := func(*corev1.PodSpec) bool { return true }
	pods, err := c.pods(ctx, every)
	if err != nil {
		return nil, err
	}
	groups, err := c.group(ctx, controllers, pods, every)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		one := Inventory{Name: g.id(), Pods: g.pods}
		if g.template != nil {
			one.Template = &g.template.Spec
		}
		all = append(all, one)
	}
	return all, nil
}
