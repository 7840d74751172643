package podrefs

import (
	"iter"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// configMap is what the name of a ConfigMap begins with here. No name of a Secret has a slash.
const configMap = "configmap/"

// ConfigMap is how a ConfigMap is named beside Secrets.
func ConfigMap(name string) string { return configMap + name }

// Use is what a pod does with what it refers to.
type Use int

// The uses of a Secret or a ConfigMap.
const (
	Variable Use = iota // a container has it in its environment
	File                // a volume shows its content, which the kubelet keeps up to date
	Mount               // the kubelet mounts a volume with it
	Pull                // the kubelet pulls an image with it
)

// Ref is one reference of a pod's spec.
type Ref struct {
	Object    string // the name of a Secret, or of a ConfigMap as [ConfigMap] gives it
	Use       Use
	Container string // that has the variable
	Volume    string // that shows the content, or is mounted with it

	key   string             // of a variable; "" for all
	items []corev1.KeyToPath // of a volume; none: all
	name  *string            // in the spec
}

// Keys are those that are given by their names; none: all that there are.
func (r Ref) Keys() (keys []string) {
	if r.key != "" {
		return []string{r.key}
	}
	for _, item := range r.items {
		keys = append(keys, item.Key)
	}
	return keys
}

// Gives says whether a reference hands that key to a container.
func (r Ref) Gives(key string) bool {
	keys := r.Keys()
	return (r.Use == Variable || r.Use == File) && (len(keys) == 0 || slices.Contains(keys, key))
}

// Rename has the spec refer to another object of the same kind.
func (r Ref) Rename(to string) { *r.name = to }

// In yields every reference of spec: what pulls its images, then that of volumes, then that of
// variables, in the order of the containers. To rename one changes spec.
func In(spec *corev1.PodSpec) iter.Seq[Ref] {
	return func(yield func(Ref) bool) {
		w := walk{yield: yield}
		for i := range spec.ImagePullSecrets {
			w.secret(Ref{Use: Pull}, &spec.ImagePullSecrets[i].Name)
		}
		for i := range spec.Volumes {
			w.volume(&spec.Volumes[i])
		}
		for i := range spec.InitContainers {
			w.container(&spec.InitContainers[i])
		}
		for i := range spec.Containers {
			w.container(&spec.Containers[i])
		}
		for i := range spec.EphemeralContainers {
			c := &spec.EphemeralContainers[i].EphemeralContainerCommon
			w.container(&corev1.Container{Name: c.Name, Env: c.Env, EnvFrom: c.EnvFrom})
		}
	}
}

// Refers says whether spec refers to one of the objects.
func Refers(spec *corev1.PodSpec, objects ...string) bool {
	for ref := range In(spec) {
		if slices.Contains(objects, ref.Object) {
			return true
		}
	}
	return false
}

// Secrets are the names of those that spec refers to, sorted.
func Secrets(spec *corev1.PodSpec) (names []string) {
	for ref := range In(spec) {
		if !strings.HasPrefix(ref.Object, configMap) {
			names = append(names, ref.Object)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ConfigMaps are the names of those that spec refers to, in the order of [In].
func ConfigMaps(spec *corev1.PodSpec) (names []string) {
	for ref := range In(spec) {
		if name, ok := ref.AsConfigMap(); ok {
			names = append(names, name)
		}
	}
	return names
}

// AsConfigMap is the name of the ConfigMap that a reference is to; ok is false for one to a Secret.
func (r Ref) AsConfigMap() (name string, ok bool) { return strings.CutPrefix(r.Object, configMap) }

// Containers are all containers of a pod: init, ordinary and ephemeral ones.
func Containers(spec *corev1.PodSpec) []corev1.Container {
	all := slices.Concat(spec.InitContainers, spec.Containers)
	for _, e := range spec.EphemeralContainers {
		all = append(all, corev1.Container(e.EphemeralContainerCommon))
	}
	return all
}

// walk yields references until one is enough.
type walk struct {
	yield func(Ref) bool
	done  bool
}

func (w *walk) secret(r Ref, name *string) { w.ref(r, "", name) }

func (w *walk) configMap(r Ref, name *string) { w.ref(r, configMap, name) }

func (w *walk) ref(r Ref, prefix string, name *string) {
	if w.done || *name == "" {
		return
	}
	r.Object, r.name = prefix+*name, name
	w.done = !w.yield(r)
}

func (w *walk) container(c *corev1.Container) {
	r := Ref{Use: Variable, Container: c.Name}
	for i := range c.EnvFrom {
		if from := c.EnvFrom[i].SecretRef; from != nil {
			w.secret(r, &from.Name)
		}
		if from := c.EnvFrom[i].ConfigMapRef; from != nil {
			w.configMap(r, &from.Name)
		}
	}
	for i := range c.Env {
		source := c.Env[i].ValueFrom
		if source == nil {
			continue
		}
		if from := source.SecretKeyRef; from != nil {
			r.key = from.Key
			w.secret(r, &from.Name)
		}
		if from := source.ConfigMapKeyRef; from != nil {
			r.key = from.Key
			w.configMap(r, &from.Name)
		}
	}
}

func (w *walk) volume(v *corev1.Volume) {
	files := func(items []corev1.KeyToPath) Ref { return Ref{Use: File, Volume: v.Name, items: items} }
	switch {
	case v.Secret != nil:
		w.secret(files(v.Secret.Items), &v.Secret.SecretName)
	case v.ConfigMap != nil:
		w.configMap(files(v.ConfigMap.Items), &v.ConfigMap.Name)
	case v.Projected != nil:
		for i := range v.Projected.Sources {
			if s := v.Projected.Sources[i].Secret; s != nil {
				w.secret(files(s.Items), &s.Name)
			}
			if s := v.Projected.Sources[i].ConfigMap; s != nil {
				w.configMap(files(s.Items), &s.Name)
			}
		}
	case v.AzureFile != nil:
		w.secret(Ref{Use: Mount, Volume: v.Name}, &v.AzureFile.SecretName)
	default:
		if ref := mountedWith(v); ref != nil {
			w.secret(Ref{Use: Mount, Volume: v.Name}, &ref.Name)
		}
	}
}

// mountedWith is the Secret that the kubelet mounts v with; nil for none.
func mountedWith(v *corev1.Volume) *corev1.LocalObjectReference {
	switch {
	case v.CSI != nil:
		return v.CSI.NodePublishSecretRef
	case v.FlexVolume != nil:
		return v.FlexVolume.SecretRef
	case v.ISCSI != nil:
		return v.ISCSI.SecretRef
	case v.RBD != nil:
		return v.RBD.SecretRef
	case v.CephFS != nil:
		return v.CephFS.SecretRef
	case v.ScaleIO != nil:
		return v.ScaleIO.SecretRef
	case v.StorageOS != nil:
		return v.StorageOS.SecretRef
	}
	return nil
}
