package kube

import (
	"fmt"
	"path"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// Lost says why a file of a container does not outlast the container or its pod, as far as the pod's spec tells; "" where it does.
func Lost(pod *corev1.Pod, name, file string) string {
	c := container(pod, name)
	if c == nil {
		return fmt.Sprintf("pod %s has no container %q", pod.Name, name)
	}
	e := &Environment{pod: pod, container: c}
	mount, _, found := e.mountOf(path.Clean(file))
	if !found {
		return fmt.Sprintf("%s is in the container's own file system, which goes with it", file)
	}
	i := slices.IndexFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
	if i < 0 {
		return ""
	}
	if why := goes(pod.Spec.Volumes[i]); why != "" {
		return fmt.Sprintf("%s is on the volume %s, %s", file, mount.Name, why)
	}
	if mount.ReadOnly {
		return fmt.Sprintf("%s is on the volume %s, which is mounted to be read only", file, mount.Name)
	}
	for _, init := range pod.Spec.InitContainers {
		if slices.ContainsFunc(init.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == mount.Name && !m.ReadOnly }) {
			return fmt.Sprintf("%s is on the volume %s, to which the init container %s may write anew at each start", file, mount.Name, init.Name)
		}
	}
	return ""
}

// goes says why what is written to a volume does not stay.
func goes(v corev1.Volume) string {
	switch {
	case v.EmptyDir != nil, v.Ephemeral != nil:
		return "which goes with the pod"
	case v.ConfigMap != nil:
		return fmt.Sprintf("which is written anew from the ConfigMap %s", v.ConfigMap.Name)
	case v.Secret != nil:
		return fmt.Sprintf("which is written anew from the Secret %s", v.Secret.SecretName)
	case v.Projected != nil, v.DownwardAPI != nil, v.CSI != nil && isTrue(v.CSI.ReadOnly):
		return "which is written anew"
	}
	return ""
}
