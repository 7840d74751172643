package workload

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
)

// Setting is a text that a consumer is given and that no Secret holds: the value of a variable in its template, or a
// key of a ConfigMap that it reads.
type Setting struct {
	Workload  string // "deployment/backend"
	Container string // "" for a volume of all of them
	Source    string // "variable DATABASE_USER", "key user of configmap settings"
	Name      string // what it is called in a configuration: "deployment/backend/DATABASE_USER", "configmap/settings/user"
	Value     string
}

// Settings lists what the consumers are given beside Secrets, each ConfigMap's keys once for each reader. The notes name
// the ConfigMaps that could not be read. One that is not there holds nothing.
func (c *Consumers) Settings(ctx context.Context) (all []Setting, notes []string, err error) {
	groups, _, err := c.survey(ctx)
	if err != nil {
		return nil, nil, err
	}
	maps := map[string]map[string]string{}
	for _, g := range groups {
		if c.keeps(g.controller) || g.template == nil {
			continue
		}
		all = append(all, plainVariables(g)...)
		for _, ref := range configMaps(&g.template.Spec) {
			data, known := maps[ref.name]
			if !known {
				data, err = c.configMap(ctx, ref.name)
				if err != nil {
					notes = append(notes, fmt.Sprintf("configmap %s, which %s reads, was not looked at: %v", ref.name, g.id(), err))
				}
				maps[ref.name] = data
			}
			all = append(all, ref.settings(g.id(), data)...)
		}
	}
	return all, notes, nil
}

func plainVariables(g *group) (all []Setting) {
	for _, container := range podrefs.Containers(&g.template.Spec) {
		for _, e := range container.Env {
			if e.Value != "" {
				all = append(all, Setting{g.id(), container.Name, "variable " + e.Name, g.id() + "/" + e.Name, e.Value})
			}
		}
	}
	return all
}

// reference is how one container, or a volume, reads a ConfigMap.
type reference struct {
	name, container string
	key             string // "" for all
}

func (r reference) settings(workload string, data map[string]string) (all []Setting) {
	for _, key := range slices.Sorted(maps.Keys(data)) {
		if r.key == "" || r.key == key {
			all = append(all, Setting{workload, r.container, fmt.Sprintf("key %s of configmap %s", key, r.name), fmt.Sprintf("configmap/%s/%s", r.name, key), data[key]})
		}
	}
	return all
}

// configMaps are those that the pods of spec read: environment and volumes.
func configMaps(spec *corev1.PodSpec) (all []reference) {
	for ref := range podrefs.In(spec) {
		name, ok := ref.AsConfigMap()
		switch keys := ref.Keys(); {
		case !ok:
		case ref.Use == podrefs.Variable && len(keys) == 1:
			all = append(all, reference{name, ref.Container, keys[0]})
		default:
			all = append(all, reference{name: name, container: ref.Container})
		}
	}
	return all
}

// configMap is the data of one; nothing where it is not there.
func (c *Consumers) configMap(ctx context.Context, name string) (map[string]string, error) {
	found, err := c.Client.CoreV1().ConfigMaps(c.Namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, c.explain("get", "configmaps "+name, err)
	}
	return found.Data, nil
}
