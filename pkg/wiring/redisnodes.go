package wiring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// stores are the nodes of a Redis server: the pods of the configured pod's controller, and what the configuration names beside them
// (redis.nodes). Nothing that a server, a pod or its labels announce makes a node.
type stores struct {
	in     opening
	first  []corev1.Pod // the pods as they were found at first
	owners *kube.Owners
}

// nodes are those that there are now.
func (s stores) nodes(ctx context.Context) (all []redisacl.Node, err error) {
	if s.in.via == kube.ViaDirect {
		return s.addresses(s.in.server.Address)
	}
	namespace := s.first[0].Namespace
	pods, err := s.in.clients.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the pods in %s: %w", namespace, err)
	}
	fits, err := s.members(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range pods.Items {
		if p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed { // its containers have ended for good
			continue
		}
		if p.Name == s.first[0].Name { // which may be another one by now, or gone
			all = slices.Insert(all, 0, s.node(p))
			continue
		}
		fit, err := fits(p)
		if err != nil {
			return nil, err
		}
		if fit {
			all = append(all, s.node(p))
		}
	}
	more, err := s.addresses("")
	return append(all, more...), err
}

// member is whether a pod is a node.
type member func(corev1.Pod) (bool, error)

// members is whether a pod is one by its controller, or by what the configuration names.
func (s stores) members(ctx context.Context) (member, error) {
	fits := []member{func(p corev1.Pod) (bool, error) { return s.owners.Same(ctx, &s.first[0], &p) }}
	for _, name := range redisOf(s.in.target).Nodes {
		kind, name, found := strings.Cut(name, "/")
		if !found {
			continue
		}
		fit, err := s.member(ctx, kind, name)
		if err != nil {
			return nil, err
		}
		fits = append(fits, fit)
	}
	return func(p corev1.Pod) (fit bool, err error) {
		for i := 0; i < len(fits) && !fit && err == nil; i++ {
			fit, err = fits[i](p)
		}
		return fit, err
	}, nil
}

// member is whether a pod is what the configuration names.
func (s stores) member(ctx context.Context, kind, name string) (member, error) {
	switch kind {
	case "pod":
		return func(p corev1.Pod) (bool, error) { return p.Name == name, nil }, nil
	case "service":
		namespace := s.first[0].Namespace
		service, err := s.in.clients.Kube.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, fmt.Errorf("reading service %s/%s of redis.nodes: %w", namespace, name, err)
		}
		chosen, err := kube.Selector(service)
		if err != nil {
			return nil, fmt.Errorf("redis.nodes: %w", err)
		}
		return func(p corev1.Pod) (bool, error) { return chosen.Matches(labels.Set(p.Labels)), nil }, nil
	}
	return func(p corev1.Pod) (bool, error) { // statefulset
		if c := metav1.GetControllerOf(&p); c == nil || c.Kind != "StatefulSet" || c.Name != name {
			return false, nil
		}
		c, err := s.owners.Of(ctx, &p)
		return c != nil, err
	}, nil
}

// addresses are the nodes that the configuration gives as host:port, which are dialed from here.
func (s stores) addresses(first string) (all []redisacl.Node, err error) {
	var addresses []string
	if first != "" {
		addresses = append(addresses, first)
	}
	for _, name := range redisOf(s.in.target).Nodes {
		if !strings.Contains(name, "/") && name != first {
			addresses = append(addresses, name)
		}
	}
	if len(addresses) == 0 && s.in.via == kube.ViaDirect {
		return nil, rotation.Refuse(rotation.WithHint(errors.New("--via=direct, and no address of the server"), "say it in the configuration: redis.address"))
	}
	for _, address := range addresses {
		all = append(all, redisacl.Node{Name: address, Address: address})
	}
	return all, nil
}

// node is the server in one pod, and the way there.
func (s stores) node(p corev1.Pod) redisacl.Node {
	port := strconv.Itoa(s.in.server.Port)
	d := s.in.dialer(p)
	return redisacl.Node{
		Name: p.Name, Address: net.JoinHostPort(p.Status.PodIP, port), Aliases: aliases(p, s.in.server.Service),
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, net.JoinHostPort("localhost", port))
		},
		Lost: func(path string) string { return kube.Lost(&p, s.in.server.Container, path) },
	}
}

// redisOf is the Redis server of a target, as configured.
func redisOf(t config.Target) config.Redis {
	switch {
	case t.Redis != nil:
		return *t.Redis
	case t.JWT != nil && t.JWT.Sessions != nil:
		return t.JWT.Sessions.Redis
	}
	return config.Redis{}
}
