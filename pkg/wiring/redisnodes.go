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
	running := slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return kube.Over(&p) })
	names := map[string]bool{}
	for _, p := range running {
		same, err := s.owners.Same(ctx, &s.first[0], &p)
		if err != nil {
			return nil, err
		}
		names[p.Name] = same
	}
	for _, text := range redisOf(s.in.target).Nodes {
		kind, name, isPod := strings.Cut(text, "/")
		if !isPod {
			continue
		}
		named, err := s.owners.Named(ctx, namespace, kind, name, running)
		if err != nil {
			return nil, fmt.Errorf("redis.nodes: %w", err)
		}
		for _, p := range named {
			names[p.Name] = true
		}
	}
	for _, p := range running {
		switch {
		case p.Name == s.first[0].Name: // which may be another one by now, or gone
			all = slices.Insert(all, 0, s.node(p))
		case names[p.Name]:
			all = append(all, s.node(p))
		}
	}
	more, err := s.addresses("")
	return append(all, more...), err
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
