package kube

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// secret reads a Secret once; it is nil if there is none.
func (e *Environment) secret(ctx context.Context, name string) (*corev1.Secret, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if known, ok := e.secrets[name]; ok {
		return known, nil
	}
	s, err := notFoundAsNil(e.core.Secrets(e.pod.Namespace).Get(ctx, name, metav1.GetOptions{}))
	if err != nil {
		return nil, fmt.Errorf("reading secret %s/%s: %w", e.pod.Namespace, name, err)
	}
	e.secrets[name] = s
	return s, nil
}

func (e *Environment) configMap(ctx context.Context, name string) (*corev1.ConfigMap, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if known, ok := e.configMaps[name]; ok {
		return known, nil
	}
	c, err := notFoundAsNil(e.core.ConfigMaps(e.pod.Namespace).Get(ctx, name, metav1.GetOptions{}))
	if err != nil {
		return nil, fmt.Errorf("reading configmap %s/%s: %w", e.pod.Namespace, name, err)
	}
	e.configMaps[name] = c
	return c, nil
}

// secretMember gives one key of a Secret whose absence matters and whose key may be missing, as in envFrom.
func (e *Environment) secretMember(ctx context.Context, name, key string, optional bool) (Variable, error) {
	s, err := e.secret(ctx, name)
	if err != nil {
		return Variable{}, err
	}
	if s == nil {
		return Variable{}, orMissing(optional, fmt.Sprintf("secret %s/%s", e.pod.Namespace, name))
	}
	value, ok := s.Data[key]
	if !ok {
		return Variable{}, errUnset
	}
	return Variable{rotation.NewSecret(value), fmt.Sprintf("secret %s/%s key %q", e.pod.Namespace, name, key)}, nil
}

// secretKey gives a key that was asked for by name: it must be there, unless it is optional.
func (e *Environment) secretKey(ctx context.Context, name, key string, optional bool) (Variable, error) {
	v, err := e.secretMember(ctx, name, key, optional)
	if errors.Is(err, errUnset) {
		return v, orMissing(optional, fmt.Sprintf("secret %s/%s key %q", e.pod.Namespace, name, key))
	}
	return v, err
}

// configMapMember is secretMember for a ConfigMap.
func (e *Environment) configMapMember(ctx context.Context, name, key string, optional bool) (Variable, error) {
	c, err := e.configMap(ctx, name)
	if err != nil {
		return Variable{}, err
	}
	if c == nil {
		return Variable{}, orMissing(optional, fmt.Sprintf("configmap %s/%s", e.pod.Namespace, name))
	}
	value, ok := c.Data[key]
	if !ok {
		return Variable{}, errUnset
	}
	return Variable{rotation.NewSecret([]byte(value)), fmt.Sprintf("configmap %s/%s key %q", e.pod.Namespace, name, key)}, nil
}

// configMapKey is secretKey for a ConfigMap.
func (e *Environment) configMapKey(ctx context.Context, name, key string, optional bool) (Variable, error) {
	v, err := e.configMapMember(ctx, name, key, optional)
	if errors.Is(err, errUnset) {
		return v, orMissing(optional, fmt.Sprintf("configmap %s/%s key %q", e.pod.Namespace, name, key))
	}
	return v, err
}
