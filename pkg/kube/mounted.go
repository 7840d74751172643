package kube

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// file gives what a path in the container holds, where that is a key of a Secret or ConfigMap in a volume.
func (e *Environment) file(ctx context.Context, name string) (Variable, error) {
	if !path.IsAbs(name) {
		return Variable{}, fmt.Errorf("file %q: the path is not absolute", name)
	}
	mount, inside, found := e.mountOf(path.Clean(name))
	if !found {
		return Variable{}, fmt.Errorf("file %s is in the image or written by the container: it can't be read from here", name)
	}
	for _, volume := range e.pod.Spec.Volumes {
		if volume.Name != mount.Name {
			continue
		}
		v, err := e.inVolume(ctx, volume, inside)
		if errors.Is(err, errUnset) {
			err = fmt.Errorf("volume %q has no such file", volume.Name)
		}
		if err != nil {
			return Variable{}, fmt.Errorf("file %s: %w", name, err)
		}
		v.Source = "file " + name + " of " + v.Source
		return v, nil
	}
	return Variable{}, fmt.Errorf("file %s: the pod has no volume %q", name, mount.Name)
}

// mountOf finds the innermost mount that holds the file, and the file's path inside the volume.
func (e *Environment) mountOf(file string) (mount corev1.VolumeMount, inside string, found bool) {
	for _, m := range e.container.VolumeMounts {
		at := path.Clean(m.MountPath)
		rest, below := strings.CutPrefix(file, strings.TrimSuffix(at, "/")+"/")
		if file == at {
			rest, below = "", true
		}
		if below && (!found || len(at) > len(path.Clean(mount.MountPath))) {
			mount, inside, found = m, path.Join(m.SubPath, rest), true
		}
	}
	return mount, inside, found
}

func (e *Environment) inVolume(ctx context.Context, v corev1.Volume, file string) (Variable, error) {
	switch {
	case v.Secret != nil:
		return e.inSecret(ctx, v.Secret.SecretName, v.Secret.Items, file, isTrue(v.Secret.Optional))
	case v.ConfigMap != nil:
		return e.inConfigMap(ctx, v.ConfigMap.Name, v.ConfigMap.Items, file, isTrue(v.ConfigMap.Optional))
	case v.Projected != nil:
		return e.inProjection(ctx, v.Projected.Sources, file)
	}
	return Variable{}, fmt.Errorf("volume %q holds no Secret: it can't be read from here", v.Name)
}

// inProjection asks the last source first: it is written over the others.
func (e *Environment) inProjection(ctx context.Context, sources []corev1.VolumeProjection, file string) (Variable, error) {
	for i := len(sources) - 1; i >= 0; i-- {
		v, err := Variable{}, errUnset
		switch s := sources[i]; {
		case s.Secret != nil:
			v, err = e.inSecret(ctx, s.Secret.Name, s.Secret.Items, file, isTrue(s.Secret.Optional))
		case s.ConfigMap != nil:
			v, err = e.inConfigMap(ctx, s.ConfigMap.Name, s.ConfigMap.Items, file, isTrue(s.ConfigMap.Optional))
		}
		if !errors.Is(err, errUnset) {
			return v, err
		}
	}
	return Variable{}, errUnset
}

func (e *Environment) inSecret(ctx context.Context, name string, items []corev1.KeyToPath, file string, optional bool) (Variable, error) {
	key, ok := keyOf(items, file)
	if !ok {
		return Variable{}, errUnset
	}
	return e.secretMember(ctx, name, key, optional)
}

func (e *Environment) inConfigMap(ctx context.Context, name string, items []corev1.KeyToPath, file string, optional bool) (Variable, error) {
	key, ok := keyOf(items, file)
	if !ok {
		return Variable{}, errUnset
	}
	v, err := e.configMapMember(ctx, name, key, optional)
	if !errors.Is(err, errUnset) {
		return v, err
	}
	if c, _ := e.configMap(ctx, name); c != nil && c.BinaryData[key] != nil {
		return Variable{rotation.NewSecret(c.BinaryData[key]), fmt.Sprintf("configmap %s/%s key %q", e.pod.Namespace, name, key)}, nil
	}
	return v, err
}

// keyOf finds the key that is shown as file: the one that items say, or the one of that name.
func keyOf(items []corev1.KeyToPath, file string) (string, bool) {
	if len(items) == 0 {
		return file, file != "" && !strings.Contains(file, "/")
	}
	for _, item := range items {
		if path.Clean(item.Path) == file {
			return item.Key, true
		}
	}
	return "", false
}
