package wiring

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/discover"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/gate"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/secretdata"
)

func postgresEngine() Engine {
	return Engine{
		Kind:  config.KindPostgres,
		Short: "Rotate the login of a PostgreSQL database",
		Long: `Rotate the login that an application has at a PostgreSQL database, without losing a request.

A new login is created beside the old one, as a member of the role that owns the application's objects; the Secret
changes to it; the consumers roll; when nobody uses the old login any more it is refused for a while, and then
dropped. What is under way is continued; else a rotation begins.`,
		Example: `  kubectl rotate postgres                    # on a platform laid out as in the runbook
  kubectl rotate postgres --dry-run          # what would be done
  kubectl rotate postgres --yes -n shop      # no questions
  kubectl rotate abort postgres              # back to the login of before`,
		open:    openPostgres,
		store:   func(in opening) rotation.Store { return secretStore(in) },
		Outline: rotation.ServerOutline,
		rules:   serverRules,
		Admin:   "postgresql-admin",
		Discover: &discover.Kind{
			Kind: config.KindPostgres, Port: 5432,
			Image:  regexp.MustCompile(`postgres|timescale|postgis|spilo`),
			Scheme: regexp.MustCompile(`^(jdbc:)?postgres(ql)?(\+\w+)?:`),
			Name:   regexp.MustCompile(`postgres|pgsql|pg|db|database|sql`),
			Layout: func(s config.Secret) secretdata.Layout { return layout(config.KindPostgres, s) },
			Lead: func(t *config.Target, pod, database string) {
				t.Postgres = &config.Postgres{Pod: pod, Database: database}
			},
		},
		helpful: []rbacv1.PolicyRule{
			// The last words of a container that does not come up, and who is turned away at the server.
			{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
			// A pooler between the application and the server.
			{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"get"}},
			// A login's name in what consumers read beside the Secret.
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}},
			// how many pods there may come to be
			{APIGroups: []string{"autoscaling"}, Resources: []string{"horizontalpodautoscalers"}, Verbs: []string{"list"}},
		},
	}
}

// openPostgres puts a PostgreSQL server, a Secret and its consumers together.
func openPostgres(ctx context.Context, in opening) (*Opened, error) {
	store := secretStore(in)
	data, err := store.Load(ctx)
	if err != nil {
		return nil, err
	}
	pods, err := serverPods(ctx, in)
	if err != nil {
		return nil, err
	}
	in = settled(in, pods)
	replicas, err := standbyPods(ctx, in, in.clients.Owners())
	if err != nil {
		return nil, err
	}
	all := slices.Concat(pods, replicas)
	admin, err := administrator(ctx, in)
	if err != nil {
		return nil, err
	}
	secured, err := postgresTLS(ctx, in, *in.target.Postgres)
	if err != nil {
		return nil, err
	}
	id, err := identity(ctx, in)
	if err != nil {
		return nil, err
	}
	server := &postgres.Server{
		Admin: admin, TLS: secured, Target: fmt.Sprintf("%s/%s %s", in.namespace, in.target.Secret.Name, id),
		Owner: in.target.Postgres.Owner, Reassign: in.reassign, ValidFor: validFor(in.target.Interval.Duration),
		Strategy: strategy(data, in.target), Auth: postgres.Auth(in.target.Postgres.Auth), PodAt: in.podAt, Agreed: in.agreed,
		Record: store.Load, Leaked: leakedLogin(data, in.leaked),
	}
	server.Nodes = nodes(in, all, admin)
	if len(pods) > 0 && in.via != kube.ViaDirect {
		server.Discover = discoverNodes(in, pods[0], admin)
	}
	var unproven []string
	if server.Doors, unproven, err = doors(ctx, in, all, atDoors(in.via, secured)); err != nil {
		return nil, err
	}
	as := underStrategy(server)
	o, consumers, err := holder(ctx, in, store, all)
	if err != nil {
		return nil, err
	}
	if in.only {
		o.unlooked = append(o.unlooked, unproven...)
	}
	o.System, o.Missed = as, serverLog(in, pods, server).Missed
	o.refused, o.inUse = serverLog(in, pods, server).Missed, server.InUse
	server.Note = o.Note
	server.Own = func(ctx context.Context, address string) bool { return consumers.PodAt(ctx, address) != "" }
	o.Leftovers = func(ctx context.Context, rec rotation.Record) ([]string, error) {
		return server.Leftovers(ctx, rec.Current, known(rec)...)
	}
	o.onClose(func() { _ = server.Close() })
	l := looks{
		store: store, consumers: consumers, current: data.Current, renames: server.Strategy != postgres.SameUser,
		server: func(ctx context.Context, current rotation.Credential) (notes []string, asks []rotation.Item, err error) {
			if err := apartFrom(ctx, in, server, all); err != nil {
				return nil, nil, err
			}
			if server.Leaked == "" {
				server.Growth, notes, err = growth(ctx, consumers)
			}
			if err != nil {
				return notes, nil, err
			}
			more, err := as.Preflight(ctx, current)
			if err != nil {
				return slices.Concat(unproven, notes, more), nil, err
			}
			away, asks, err := standbysAsked(ctx, in, server)
			return slices.Concat(unproven, notes, more, away), asks, err
		},
	}
	o.Preflight, o.urgent = o.preflight(in, l), o.urgently(in, l)
	o.Preflight = append(o.Preflight, shown("headroom", "connections enough for both versions at once", nothing))
	return o, nil
}

// serverLog is that of the server in its pods.
func serverLog(in opening, pods []corev1.Pod, server *postgres.Server) *gate.ServerLog {
	l := &gate.ServerLog{
		Tail: &gate.Tail{Core: in.clients.Kube.CoreV1()}, Namespace: serverNamespace(in), Container: in.server.Container,
		Unlogged: server.Unlogged, Refusal: postgres.RefusalIn, Now: in.clients.Now,
	}
	for _, p := range pods {
		l.Pods = append(l.Pods, p.Name)
	}
	return l
}

// validFor is how long the password of a new login is valid: past the rotation interval by a quarter of it, and a week at least, such that it
// never ends before the target has been due for a while.
func validFor(interval time.Duration) time.Duration {
	if interval == 0 {
		return 0
	}
	return interval + max(interval/4, 7*24*time.Hour)
}

// leakedLogin is the login that has leaked, by the rotation under way or by the one that is asked for; "" for none.
func leakedLogin(rec rotation.Record, asked bool) string {
	i := rec.Intent
	switch {
	case i != nil && i.Compromised && !rec.Standby():
		if c, live := rec.Live[i.From]; live {
			return c.ID
		}
		if gone, ok := rec.Gone[i.From]; ok {
			return gone.ID
		}
		return rec.Current.ID
	case asked:
		return rec.Current.ID
	}
	return ""
}

// nothing is a look that finds nothing to say: what it shows was seen by those before it.
func nothing(context.Context, rotation.Record) ([]rotation.Item, error) { return nil, nil }

// nodes are the server in each of its pods and the way there, or those at addresses.
func nodes(in opening, pods []corev1.Pod, admin postgres.Admin) (all []postgres.Node) {
	p := in.target.Postgres
	if in.via == kube.ViaDirect {
		for _, address := range append([]string{p.Address}, p.Standbys...) {
			host, port := hostAndPort(address)
			all = append(all, postgres.Node{Name: address, Host: host, Port: port})
		}
		return all
	}
	for _, pod := range pods {
		dialer := in.dialer(pod)
		dialer.Socket = socket(in.via, p.Port, admin)
		node := postgres.Node{Name: pod.Name, Port: uint16(p.Port), Aliases: aliases(pod, p.Service), Dial: dialer.DialContext} //nolint:gosec // validated
		// With the network of its node, its addresses are those of other pods too.
		if !pod.Spec.HostNetwork {
			for _, ip := range pod.Status.PodIPs {
				node.Addresses = append(node.Addresses, ip.IP)
			}
		}
		if in.via == kube.ViaAuto {
			node.Local = in.local(pod)
		}
		all = append(all, node)
	}
	return all
}

// socketOf is the server's Unix socket, where its images have it.
func socketOf(port int) string { return fmt.Sprintf("/var/run/postgresql/.s.PGSQL.%d", port) }

// socket is the server's Unix socket, where exec is to go there: as the last resort, or because the administrator has
// no password and the server may know him as its own user (peer). "" goes to the port, where logins can be proven.
func socket(via kube.Via, port int, admin postgres.Admin) string {
	if via == kube.ViaAuto || via == kube.ViaExec && admin.Password.Empty() {
		return socketOf(port)
	}
	return ""
}

// local leads to the server's Unix socket in a pod, for an administrator of whom no password is known.
func (in opening) local(pod corev1.Pod) func(context.Context, string, string) (net.Conn, error) {
	d := in.clients.Dialer(pod.Namespace, pod.Name)
	d.Via, d.Container = kube.ViaExec, in.server.Container
	var told sync.Once
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		told.Do(func() {
			in.say("no password of %s is known: reaching %s by exec, over the server's Unix socket", in.server.Admin.User, pod.Name)
		})
		return d.DialContext(ctx, "unix", socketOf(in.server.Port))
	}
}
