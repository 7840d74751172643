package workload

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
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
	for _, c := range containersOf(spec) {
		for _, e := range c.Env {
			if e.ValueFrom == nil || e.ValueFrom.SecretKeyRef == nil {
				continue
			}
			if ref := e.ValueFrom.SecretKeyRef; slices.Contains(secrets, ref.Name) {
				keys = append(keys, ref.Key)
			}
		}
	}
	for _, v := range spec.Volumes {
		if v.Secret != nil && slices.Contains(secrets, v.Secret.SecretName) {
			keys = append(keys, itemKeys(v.Secret.Items)...)
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.Secret != nil && slices.Contains(secrets, s.Secret.Name) {
				keys = append(keys, itemKeys(s.Secret.Items)...)
			}
		}
	}
	return keys
}

func itemKeys(items []corev1.KeyToPath) (keys []string) {
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	return keys
}
