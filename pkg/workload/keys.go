package workload

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
)

// KeysByName are the keys of the Secret that consumers are handed one by one, by their names, sorted. A key that is handed so
// has to be there for a pod to start, and one that is not named is not seen by that pod.
func (c *Consumers) KeysByName(ctx context.Context) (keys []string, err error) {
	groups, _, err := c.survey(ctx)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		if g.template != nil {
			keys = append(keys, keysByName(&g.template.Spec, c.names())...)
		}
		for _, p := range g.pods {
			keys = append(keys, keysByName(&p.Spec, c.names())...)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

// keysByName are those that a spec names: in variables, and as items of volumes.
func keysByName(spec *corev1.PodSpec, secrets []string) (keys []string) {
	for ref := range podrefs.In(spec) {
		if _, public := ref.AsConfigMap(); !public && slices.Contains(secrets, ref.Object) {
			keys = append(keys, ref.Keys()...)
		}
	}
	return keys
}
