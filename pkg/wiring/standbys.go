package wiring

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// standbyPods are the pods of the standbys that the configuration names. Addresses are for a server that is dialed directly, and
// pods for one that is not.
func standbyPods(ctx context.Context, in opening, owners *kube.Owners) (all []corev1.Pod, err error) {
	if in.target.Postgres == nil || len(in.target.Postgres.Standbys) == 0 {
		return nil, nil
	}
	var list *corev1.PodList
	if in.via != kube.ViaDirect {
		if list, err = in.clients.Kube.CoreV1().Pods(serverNamespace(in)).List(ctx, metav1.ListOptions{}); err != nil {
			return nil, fmt.Errorf("listing the pods in %s: %w", serverNamespace(in), err)
		}
	}
	for _, text := range in.target.Postgres.Standbys {
		kind, name, isPod := strings.Cut(text, "/")
		switch direct := in.via == kube.ViaDirect; {
		case direct && isPod:
			return nil, rotation.Refuse(rotation.WithHint(fmt.Errorf("--via=direct does not lead to %s, which postgres.standbys names", text),
				"name the standby as host:port, or take another way"))
		case direct:
			continue
		case !isPod:
			return nil, rotation.Refuse(rotation.WithHint(fmt.Errorf("only --via=direct leads to %s, which postgres.standbys names", text),
				"name the standby as pod/NAME, statefulset/NAME or service/NAME"))
		}
		pods, err := owners.Named(ctx, serverNamespace(in), kind, name, list.Items)
		if err != nil {
			return nil, fmt.Errorf("postgres.standbys: %w", err)
		}
		if len(pods) == 0 {
			return nil, rotation.Refuse(rotation.WithHint(fmt.Errorf("there is no pod of %s in namespace %s, which postgres.standbys names", text, serverNamespace(in)),
				"remove it from the configuration if there is no such standby"))
		}
		all = append(all, pods...)
	}
	return all, nil
}

// discoverNodes gives the nodes as they are now: pods come and go.
func discoverNodes(in opening, first corev1.Pod, admin postgres.Admin) func(context.Context) ([]postgres.Node, error) {
	owners := in.clients.Owners()
	return func(ctx context.Context) ([]postgres.Node, error) {
		pods, err := owners.Siblings(ctx, first)
		if err != nil {
			return nil, err
		}
		replicas, err := standbyPods(ctx, in, owners)
		return nodes(in, slices.Concat(pods, replicas), admin), err
	}
}

// apartFrom refuses a server that is dialed directly and runs in a pod that is not known to be the server's: it would be rolled as a
// consumer of its own Secret.
func apartFrom(ctx context.Context, in opening, server interface {
	Addresses(context.Context) ([]string, error)
}, known []corev1.Pod) error {
	if in.via != kube.ViaDirect {
		return nil
	}
	addresses, err := server.Addresses(ctx)
	if err != nil {
		return err
	}
	for _, address := range addresses {
		pod := strings.TrimPrefix(in.podAt(ctx, address), "pod/")
		if pod != "" && !slices.ContainsFunc(known, func(p corev1.Pod) bool { return p.Name == pod }) {
			return rotation.Refuse(rotation.WithHint(fmt.Errorf("the server says that it answers at %s, which is pod %s/%s: it must not be rolled as a consumer",
				address, serverNamespace(in), pod), "name the pod, or a service in front of it, in the configuration (postgres.pod, postgres.service)"))
		}
	}
	return nil
}

// podAt names the pod of the server's namespace that has an address; "" for none.
func (in opening) podAt(ctx context.Context, address string) string {
	list, err := in.clients.Kube.CoreV1().Pods(serverNamespace(in)).List(ctx, metav1.ListOptions{})
	if err != nil {
		return ""
	}
	for _, p := range list.Items {
		if !p.Spec.HostNetwork && slices.ContainsFunc(p.Status.PodIPs, func(ip corev1.PodIP) bool { return ip.IP == address }) {
			return "pod/" + p.Name
		}
	}
	return ""
}

// standbysAsked are the standbys that the server lists and that are none of its nodes. Where a value has leaked they hold nothing up
// until the old one is refused at all nodes: then it is said of which standbys that is not known.
func standbysAsked(ctx context.Context, in opening, server interface {
	Replicas(context.Context) ([]string, []rotation.Item, error)
}) (notes []string, asks []rotation.Item, err error) {
	notes, asks, err = server.Replicas(ctx)
	if in.via == kube.ViaDirect && len(in.target.Postgres.Standbys) == 0 {
		notes = append(notes, "standbys are those that pg_stat_replication lists: name others, as those of Aurora are, in the configuration (postgres.standbys)")
	}
	if in.leaked {
		for _, a := range asks {
			notes = append(notes, a.Name+": "+a.Note)
		}
		asks = nil
	}
	return notes, asks, err
}
