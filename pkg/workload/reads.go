package workload

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// ConfigMap is how a ConfigMap is named beside Secrets, whose names have no slash.
func ConfigMap(name string) string { return "configmap/" + name }

// reading is how the pods of a spec read a Secret.
type reading struct {
	any        bool     // they do, in some way
	containers []string // those that are handed it; none where only the kubelet reads it, to pull an image or to mount
	reloads    bool     // one of them sees its content change while it runs
}

// reads looks for the Secrets of the given names in everything of spec that can refer to one.
func reads(spec *corev1.PodSpec, secrets ...string) reading {
	r := reading{any: slices.ContainsFunc(spec.ImagePullSecrets, func(ref corev1.LocalObjectReference) bool { return slices.Contains(secrets, ref.Name) })}
	live, held := carriers(spec.Volumes, secrets)
	r.any = r.any || len(live)+len(held) > 0
	for _, c := range containersOf(spec) {
		env := inEnv(c, secrets)
		for _, mount := range c.VolumeMounts {
			inLive := slices.Contains(live, mount.Name)
			r.reloads = r.reloads || inLive && mount.SubPath == "" && mount.SubPathExpr == ""
			env = env || inLive || slices.Contains(held, mount.Name)
		}
		if env {
			r.any = true
			r.containers = append(r.containers, c.Name)
		}
	}
	return r
}

// containersOf are all containers of a pod: init, ordinary and ephemeral ones.
func containersOf(spec *corev1.PodSpec) []corev1.Container {
	all := slices.Concat(spec.InitContainers, spec.Containers)
	for _, e := range spec.EphemeralContainers {
		all = append(all, corev1.Container(e.EphemeralContainerCommon))
	}
	return all
}

// inEnv says whether c has one of the Secrets in its environment.
func inEnv(c corev1.Container, secrets []string) bool {
	for _, from := range c.EnvFrom {
		if from.SecretRef != nil && slices.Contains(secrets, from.SecretRef.Name) ||
			from.ConfigMapRef != nil && slices.Contains(secrets, ConfigMap(from.ConfigMapRef.Name)) {
			return true
		}
	}
	for _, e := range c.Env {
		if from := e.ValueFrom; from != nil && (from.SecretKeyRef != nil && slices.Contains(secrets, from.SecretKeyRef.Name) ||
			from.ConfigMapKeyRef != nil && slices.Contains(secrets, ConfigMap(from.ConfigMapKeyRef.Name))) {
			return true
		}
	}
	return false
}

// carriers are the volumes that carry one of the Secrets: those whose content the kubelet keeps up to date, and those that
// only use it when they are mounted.
func carriers(volumes []corev1.Volume, secrets []string) (live, held []string) {
	for _, v := range volumes {
		switch {
		case v.Secret != nil && slices.Contains(secrets, v.Secret.SecretName), projects(v.Projected, secrets),
			v.ConfigMap != nil && slices.Contains(secrets, ConfigMap(v.ConfigMap.Name)):
			live = append(live, v.Name)
		case slices.ContainsFunc(mountSecrets(v.VolumeSource), func(name string) bool { return slices.Contains(secrets, name) }):
			held = append(held, v.Name)
		}
	}
	return live, held
}

func projects(p *corev1.ProjectedVolumeSource, secrets []string) bool {
	return p != nil && slices.ContainsFunc(p.Sources, func(s corev1.VolumeProjection) bool {
		return s.Secret != nil && slices.Contains(secrets, s.Secret.Name) ||
			s.ConfigMap != nil && slices.Contains(secrets, ConfigMap(s.ConfigMap.Name))
	})
}

// mountSecrets are the Secrets that v needs to be mounted.
func mountSecrets(v corev1.VolumeSource) (names []string) {
	refs := []*corev1.LocalObjectReference{}
	switch {
	case v.CSI != nil:
		refs = append(refs, v.CSI.NodePublishSecretRef)
	case v.FlexVolume != nil:
		refs = append(refs, v.FlexVolume.SecretRef)
	case v.ISCSI != nil:
		refs = append(refs, v.ISCSI.SecretRef)
	case v.RBD != nil:
		refs = append(refs, v.RBD.SecretRef)
	case v.CephFS != nil:
		refs = append(refs, v.CephFS.SecretRef)
	case v.ScaleIO != nil:
		refs = append(refs, v.ScaleIO.SecretRef)
	case v.StorageOS != nil:
		refs = append(refs, v.StorageOS.SecretRef)
	case v.AzureFile != nil:
		return []string{v.AzureFile.SecretName}
	}
	for _, ref := range refs {
		if ref != nil {
			names = append(names, ref.Name)
		}
	}
	return names
}
