package kube

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Environment is what a container's environment says, resolved as the kubelet does it when the container starts: a
// variable of env beats one of envFrom, a later one beats an earlier, and $(NAME) stands for the value of a variable
// before. It reads a Secret or ConfigMap when a name needs it, and each once.
//
// It is what the container would get if it started now. A Secret that has changed since it did start is seen, and so are
// files of a volume; the variables that the kubelet makes out of Services are not looked at. It is safe for
// concurrent use.
type Environment struct {
	core      typedcorev1.CoreV1Interface
	pod       *corev1.Pod
	container *corev1.Container

	mu         sync.Mutex
	secrets    map[string]*corev1.Secret // nil for one that does not exist
	configMaps map[string]*corev1.ConfigMap
}

// Variable is the value of a name in a container's environment.
type Variable struct {
	Value rotation.Secret
	// Source says where Value comes from, in words: `secret default/postgresql-admin key "postgres-password"`.
	Source string
}

// ContainerEnv reads a pod to resolve the environment of one of its containers. An empty container is right for a pod
// with one.
func ContainerEnv(ctx context.Context, core typedcorev1.CoreV1Interface, namespace, pod, name string) (*Environment, error) {
	p, err := core.Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("reading pod %s/%s: %w", namespace, pod, err)
	}
	if name == "" && len(p.Spec.Containers) == 1 {
		name = p.Spec.Containers[0].Name
	}
	c := container(p, name)
	if c == nil {
		return nil, rotation.WithHint(fmt.Errorf("pod %s/%s has no container %q", namespace, pod, name),
			"its containers: "+strings.Join(containerNames(p), ", "))
	}
	return &Environment{
		core: core, pod: p, container: c,
		secrets: map[string]*corev1.Secret{}, configMaps: map[string]*corev1.ConfigMap{},
	}, nil
}

// Lookup gives the variable name, and false if the container has none. Where only NAME_FILE exists, the value is what
// is in the file that it names, without the newlines at its end, as the entrypoints of the official images read it.
//
// A source that exists and can't be resolved (a Secret that may not be read, a file on a volume that is not in the
// API) is an error, not an absence.
func (e *Environment) Lookup(ctx context.Context, name string) (Variable, bool, error) {
	v, found, err := e.variable(ctx, name, len(e.container.Env))
	if err != nil || found {
		return v, found, err
	}
	path, found, err := e.variable(ctx, name+"_FILE", len(e.container.Env))
	if err != nil || !found {
		return Variable{}, false, err
	}
	v, err = e.file(ctx, string(path.Value.Reveal()))
	if err != nil {
		return Variable{}, false, fmt.Errorf("%s_FILE: %w", name, err)
	}
	v.Value = rotation.NewSecret([]byte(strings.TrimRight(string(v.Value.Reveal()), "\n")))
	return v, true, nil
}

// errUnset says that an optional source is missing, by which the kubelet leaves the variable as it was before.
var errUnset = errors.New("unset")

// variable resolves name as env has it before its entry number before.
func (e *Environment) variable(ctx context.Context, name string, before int) (Variable, bool, error) {
	for i := before - 1; i >= 0; i-- {
		entry := e.container.Env[i]
		if entry.Name != name {
			continue
		}
		v, err := e.entry(ctx, entry, i)
		if errors.Is(err, errUnset) {
			continue
		}
		if err != nil {
			return Variable{}, false, fmt.Errorf("variable %s of container %q: %w", name, e.container.Name, err)
		}
		return v, true, nil
	}
	return e.fromSources(ctx, name)
}

// entry resolves one entry of env, of which it is number i.
func (e *Environment) entry(ctx context.Context, entry corev1.EnvVar, i int) (Variable, error) {
	if entry.Value != "" || entry.ValueFrom == nil {
		text, source, err := e.expand(ctx, entry, i)
		return Variable{rotation.NewSecret([]byte(text)), source}, err
	}
	switch from := entry.ValueFrom; {
	case from.SecretKeyRef != nil:
		return e.secretKey(ctx, from.SecretKeyRef.Name, from.SecretKeyRef.Key, isTrue(from.SecretKeyRef.Optional))
	case from.ConfigMapKeyRef != nil:
		return e.configMapKey(ctx, from.ConfigMapKeyRef.Name, from.ConfigMapKeyRef.Key, isTrue(from.ConfigMapKeyRef.Optional))
	case from.FieldRef != nil:
		return e.field(from.FieldRef.FieldPath)
	}
	return Variable{}, errors.New("its source can't be resolved from here")
}

// expand replaces the references in a plain value. A value made of others takes the source of the one that it is made
// of, if there is only one.
func (e *Environment) expand(ctx context.Context, entry corev1.EnvVar, i int) (text, source string, err error) {
	source = fmt.Sprintf("the value of %s in pod %s/%s", entry.Name, e.pod.Namespace, e.pod.Name)
	var sources []string
	text = expand(entry.Value, func(name string) (string, bool) {
		v, found, lookup := e.variable(ctx, name, i)
		if lookup != nil {
			err = errors.Join(err, lookup)
		}
		if found {
			sources = append(sources, v.Source)
		}
		return string(v.Value.Reveal()), found
	})
	if len(sources) > 0 {
		source += ", made with " + strings.Join(sources, " and ")
	}
	return text, source, err
}

// fromSources looks for name in envFrom, of which the last that has it counts.
func (e *Environment) fromSources(ctx context.Context, name string) (Variable, bool, error) {
	for i := len(e.container.EnvFrom) - 1; i >= 0; i-- {
		from := e.container.EnvFrom[i]
		key, ok := strings.CutPrefix(name, from.Prefix)
		if !ok || key == "" {
			continue
		}
		var v Variable
		err := errUnset
		switch {
		case from.SecretRef != nil:
			v, err = e.secretMember(ctx, from.SecretRef.Name, key, isTrue(from.SecretRef.Optional))
		case from.ConfigMapRef != nil:
			v, err = e.configMapMember(ctx, from.ConfigMapRef.Name, key, isTrue(from.ConfigMapRef.Optional))
		}
		if errors.Is(err, errUnset) {
			continue
		}
		if err != nil {
			return Variable{}, false, fmt.Errorf("envFrom of container %q: %w", e.container.Name, err)
		}
		return v, true, nil
	}
	return Variable{}, false, nil
}

// field resolves what a variable may take from the pod itself: the fields that can be part of an address or a name.
func (e *Environment) field(path string) (Variable, error) {
	values := map[string]string{
		"metadata.name": e.pod.Name, "metadata.namespace": e.pod.Namespace, "metadata.uid": string(e.pod.UID),
		"spec.nodeName": e.pod.Spec.NodeName, "spec.serviceAccountName": e.pod.Spec.ServiceAccountName,
		"status.podIP": e.pod.Status.PodIP, "status.hostIP": e.pod.Status.HostIP,
	}
	value, known := values[path]
	if !known {
		return Variable{}, fmt.Errorf("field %s can't be resolved from here", path)
	}
	return Variable{rotation.NewSecret([]byte(value)), "field " + path + " of the pod"}, nil
}

func isTrue(b *bool) bool { return b != nil && *b }

// orMissing is errUnset for an optional source and an error that names it otherwise.
func orMissing(optional bool, what string) error {
	if optional {
		return errUnset
	}
	return fmt.Errorf("%s does not exist", what)
}

// notFoundAsNil turns the absence of an object into nil, to be remembered like its presence.
func notFoundAsNil[T any](object *T, err error) (*T, error) {
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return object, nil
}
