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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/secretdata"
)

// doors are the ways in that the application takes and that do not lead straight to the server: poolers. One that cannot be
// reached from here is a note: what it makes of the new login is not proven.
func doors(ctx context.Context, in opening, servers []corev1.Pod, secured postgres.TLS) (all []postgres.Door, notes []string, err error) {
	ways, err := waysIn(ctx, in)
	if err != nil {
		return nil, nil, err
	}
	for _, way := range ways {
		d, err := in.door(ctx, way, servers)
		switch {
		case err != nil:
			notes = append(notes, fmt.Sprintf("the application comes in through %s, and whether it lets the new login in is not proven: %v",
				net.JoinHostPort(way.Host, way.Port), err))
		case d != nil && in.only:
			notes = append(notes, fmt.Sprintf("the application comes in through %s, and what that makes of logins is not seen: a dry run and status log in at the server alone",
				net.JoinHostPort(way.Host, way.Port)))
		case d != nil:
			d.TLS = secured
			all = append(all, *d)
		}
	}
	return all, notes, nil
}

// waysIn are those of the configuration, else those of the Secret's connection strings.
func waysIn(ctx context.Context, in opening) (ways []secretdata.Server, err error) {
	for _, address := range in.target.Postgres.Through {
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		ways = append(ways, secretdata.Server{Host: host, Port: port})
	}
	if len(ways) == 0 {
		s, err := in.clients.Kube.CoreV1().Secrets(in.namespace).Get(ctx, in.target.Secret.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		if ways, err = layout(in.target.Kind, in.target.Secret).Servers(s.Data); err != nil {
			return nil, nil // what is wrong with the Secret is said by the look at it
		}
	}
	for i := range ways {
		if ways[i].Port == "" {
			ways[i].Port = "5432"
		}
		if ways[i].Database == "" {
			ways[i].Database = in.target.Postgres.Database
		}
	}
	return ways, nil
}

// door is the way in as a place to log in at; nil where it leads to the server itself.
func (in opening) door(ctx context.Context, way secretdata.Server, servers []corev1.Pod) (*postgres.Door, error) {
	b := behind{in: in, way: way}
	if in.via == kube.ViaDirect {
		if len(in.target.Postgres.Through) == 0 {
			return nil, nil // a name of the cluster's, which means nothing here
		}
		port, err := strconv.ParseUint(way.Port, 10, 16)
		return &postgres.Door{Node: postgres.Node{Name: way.Host, Host: way.Host, Port: uint16(port)}, Database: way.Database}, err
	}
	if slices.ContainsFunc(servers, func(p corev1.Pod) bool { return p.Name == b.name() }) {
		return nil, nil // pg-0.pg, a pod of a StatefulSet
	}
	pods, err := b.pods(ctx)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(pods, func(p corev1.Pod) bool { return isOneOf(p, servers) }) {
		return nil, nil
	}
	if err := b.reach(ctx); err != nil {
		return nil, err
	}
	return &postgres.Door{
		Node: postgres.Node{Name: b.name(), Host: way.Host, Dial: b.dial}, Database: way.Database, Pods: b.addresses,
	}, nil
}

func isOneOf(p corev1.Pod, all []corev1.Pod) bool {
	return slices.ContainsFunc(all, func(one corev1.Pod) bool { return one.UID == p.UID })
}

// behind finds the pods behind a way in, each time anew: poolers come and go.
type behind struct {
	in  opening
	way secretdata.Server
}

// name and namespace are those of the Service, or of the pod, that the host names: pgbouncer, pgbouncer.shop.svc.
func (b behind) name() string { name, _, _ := strings.Cut(b.way.Host, "."); return name }

func (b behind) namespace() string {
	if parts := strings.Split(b.way.Host, "."); len(parts) == 2 || len(parts) > 2 && parts[2] == "svc" {
		return parts[1]
	}
	return b.in.namespace
}

// pods are those that the host leads to.
func (b behind) pods(ctx context.Context) ([]corev1.Pod, error) {
	s, err := b.service(ctx)
	if err != nil {
		return nil, err
	}
	return b.in.clients.PodsOf(ctx, s)
}

func (b behind) service(ctx context.Context) (*corev1.Service, error) {
	services := b.in.clients.Kube.CoreV1().Services(b.namespace())
	if net.ParseIP(b.way.Host) != nil {
		return nil, fmt.Errorf("%s is an address, and not the name of a service", b.way.Host)
	}
	s, err := services.Get(ctx, b.name(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("there is no service %s/%s", b.namespace(), b.name())
	}
	return s, err
}

// dial goes to a ready pod, at the port that the Service sends the clients' to.
func (b behind) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	s, err := b.service(ctx)
	if err != nil {
		return nil, err
	}
	pods, err := b.pods(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range pods {
		if port := kube.PortOf(s, &p, b.way.Port); port > 0 && kube.Ready(&p) {
			d := b.in.clients.Dialer(p.Namespace, p.Name)
			d.Via = b.in.via
			return d.DialContext(ctx, network, net.JoinHostPort("localhost", strconv.Itoa(int(port))))
		}
	}
	return nil, fmt.Errorf("service %s/%s has no ready pod for port %s: %w", s.Namespace, s.Name, b.way.Port, rotation.ErrUnavailable)
}

// reach is an error where no tunnel to the pods can be had from here; one that cannot be had just now may be had later.
func (b behind) reach(ctx context.Context) error {
	conn, err := b.dial(ctx, "tcp", "")
	if errors.Is(err, rotation.ErrUnavailable) {
		return nil
	}
	if err == nil {
		err = conn.Close()
	}
	return err
}

// addresses are the pods' names by their addresses.
func (b behind) addresses(ctx context.Context) (map[string]string, error) {
	pods, err := b.pods(ctx)
	names := map[string]string{}
	for _, p := range pods {
		for _, ip := range p.Status.PodIPs {
			names[ip.IP] = "pod/" + p.Name
		}
	}
	return names, err
}
