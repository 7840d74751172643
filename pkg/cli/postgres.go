package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kubesecret"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/lease"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/secretdata"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// How a rotation of a PostgreSQL login looks at the world.
const (
	observationWindow = time.Second     // how long nobody may be seen on the old login
	clockSkew         = 5 * time.Second // between the API server and the nodes
	effectLimit       = 30 * time.Second
)

func postgresEngine() engine {
	return engine{
		kind:  config.KindPostgres,
		short: "Rotate the login of a PostgreSQL database",
		long: `Rotate the login that an application has at a PostgreSQL database, without losing a request.

A new login is created beside the old one, as a member of the role that owns the application's objects; the Secret
changes to it; the consumers roll; when nobody uses the old login any more it is refused for a while, and then
dropped. What is under way is continued; else a rotation begins.`,
		example: `  kubectl rotate postgres                    # on a platform laid out as in the runbook
  kubectl rotate postgres --dry-run          # what would be done
  kubectl rotate postgres --yes -n shop      # no questions
  kubectl rotate abort postgres              # back to the login of before`,
		open:  openPostgres,
		store: func(in opening) rotation.Store { return secretStore(in) },
		rules: postgresRules,
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

// postgresRules are the permissions that a rotation takes, by namespace: those of its parts, and the way to the server.
func postgresRules(t config.Target, via kube.Via) map[string][]rbacv1.PolicyRule {
	all := map[string][]rbacv1.PolicyRule{}
	for _, s := range t.Also {
		home := s.Namespace == "" || s.Namespace == t.Namespace
		if home {
			s.Namespace = ""
		} else if all[s.Namespace] == nil {
			all[s.Namespace] = workload.Rules()
		}
		all[s.Namespace] = append(all[s.Namespace], kubesecret.RulesAlso(s.Name)...)
	}
	all[""] = append(homeRules(t), all[""]...)
	there := serverKey(t)
	if there != "" && all[there] == nil {
		all[there] = []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}}}
	}
	all[there] = append(all[there], wayRules(via)...)
	return all
}

// serverKey is the namespace of the server as rules are kept by: "" where it is the target's own.
func serverKey(t config.Target) string {
	if n := t.Postgres.Namespace; n != t.Namespace {
		return n
	}
	return ""
}

// homeRules are those in the target's own namespace, the way to the server aside.
func homeRules(t config.Target) []rbacv1.PolicyRule {
	rules := slices.Concat(kubesecret.Rules(t.Secret.Name), lease.Rules(t.Secret.Name), workload.Rules())
	if admin := t.Postgres.Admin.Secret; admin != nil {
		rules = append(rules, readSecret(admin.Name))
	}
	return rules
}

func readSecret(name string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{name}, Verbs: []string{"get"}}
}

// wayRules are those that the way to the server takes, where the server is.
func wayRules(via kube.Via) (rules []rbacv1.PolicyRule) {
	way := func(sub string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/" + sub}, Verbs: []string{"create"}}
	}
	if via == kube.ViaPortForward || via == kube.ViaAuto {
		rules = append(rules, way("portforward"))
	}
	if via == kube.ViaExec {
		rules = append(rules, way("exec"))
	}
	return rules
}

// openPostgres puts a PostgreSQL server, a Secret and its consumers together.
func openPostgres(ctx context.Context, in opening) (*opened, error) {
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
	admin, err := administrator(ctx, in)
	if err != nil {
		return nil, err
	}
	server := &postgres.Server{
		Admin: admin, TLS: postgres.TLS{Mode: postgres.TLSMode(in.target.Postgres.SSLMode)},
		Owner: in.target.Postgres.Owner, Reassign: in.reassign, ValidFor: in.target.Interval.Duration,
		Strategy: strategy(data, in.target),
	}
	server.Nodes = nodes(in, pods, admin)
	var unproven []string
	if server.Doors, unproven, err = doors(ctx, in, pods); err != nil {
		return nil, err
	}
	as := underStrategy(server)
	watched, stop := context.WithCancel(ctx)
	consumers := consumersOf(in, keep(pods), func(text string) string { return redacted(ctx, store, text) })
	o := &opened{clients: in.clients, target: in.target, namespace: in.namespace}
	o.leftovers = func(ctx context.Context, rec rotation.Record) ([]string, error) {
		var known []string
		for _, c := range rec.Live {
			known = append(known, c.ID)
		}
		return server.Leftovers(ctx, rec.Current, known...)
	}
	o.onClose(stop)
	o.onClose(func() { _ = server.Close() })
	o.Rotation = rotation.Rotation{
		Target: in.target.Name,
		Parts:  rotation.Parts{System: as, Store: store, Consumers: consumers},
		Options: rotation.Options{
			Window: observationWindow, Skew: clockSkew, Now: in.clients.Now, Who: consumers.PodAt, Missed: journalOf(in, pods, server).missed,
		},
		Limit: effectLimit,
		Wake:  consumers.Changes(watched),
	}
	o.Preflight = o.preflight(in, looks{store: store, consumers: consumers, server: server, as: as, unproven: unproven, current: data.Current})
	return o, nil
}

// consumersOf are those of the target's Secret, and of the others that hold the same login, in whatever namespace.
func consumersOf(in opening, kept []string, redact func(string) string) workload.Across {
	var all workload.Across
	for _, s := range secretsOf(in) {
		i := slices.IndexFunc(all, func(c *workload.Consumers) bool { return c.Namespace == s.Namespace })
		if i < 0 {
			i = len(all)
			all = append(all, &workload.Consumers{
				Client: in.clients.Kube, Namespace: s.Namespace, Secret: in.target.Secret.Name, Now: in.clients.Now, Redact: redact,
			})
		}
		all[i].Names = append(all[i].Names, s.Name)
	}
	for _, c := range all {
		if c.Namespace == serverNamespace(in) {
			c.Keep = kept
		}
	}
	all[0].More = in.target.Consumers
	return all
}

// secretsOf are the target's Secret and the others, each with its namespace.
func secretsOf(in opening) []config.Secret {
	all := in.target.Secrets()
	for i := range all {
		if all[i].Namespace == "" {
			all[i].Namespace = in.namespace
		}
	}
	return all
}

// layout is how a credential stands in a Secret.
func layout(s config.Secret) secretdata.Layout {
	return secretdata.Layout{
		Username: s.Username, Password: s.Password, Login: s.Login, DSN: s.DSN, Copies: s.Copies, Ignore: s.Ignore,
	}
}

// secretStore is the record of a target whose Secret holds a login.
func secretStore(in opening) *kubesecret.Store {
	var places []kubesecret.Place
	for _, s := range secretsOf(in) {
		places = append(places, place(s))
	}
	return &kubesecret.Store{Secrets: in.clients.Kube.CoreV1(), Place: places[0], Also: places[1:], About: about(in.target), Now: in.clients.Now}
}

func place(s config.Secret) kubesecret.Place {
	l := layout(s)
	return kubesecret.Place{
		Namespace: s.Namespace, Name: s.Name, Parse: l.Parse, Render: l.Render, Mend: l.Mend,
		Keys: func(data map[string][]byte) []string {
			keys, err := l.Keys(data)
			if err != nil { // an edit that nothing can be read from: all of it may be ours
				return slices.Sorted(maps.Keys(data))
			}
			return keys
		},
	}
}

// serverPods are the server's pod, and the others of its StatefulSet: standbys, as far as they are there. A server that
// is dialed directly need not have any.
func serverPods(ctx context.Context, in opening) ([]corev1.Pod, error) {
	p := in.target.Postgres
	namespace := serverNamespace(in)
	first, err := in.clients.Kube.CoreV1().Pods(namespace).Get(ctx, p.Pod, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) && in.via == kube.ViaDirect:
		return nil, nil
	case apierrors.IsNotFound(err):
		return nil, rotation.WithHint(fmt.Errorf("there is no pod %s/%s, where the database should run", namespace, p.Pod),
			"name the pod in the configuration (postgres.pod), or the namespace with -n")
	case err != nil:
		return nil, fmt.Errorf("reading pod %s/%s: %w", namespace, p.Pod, err)
	}
	owner := metav1.GetControllerOf(first)
	if owner == nil {
		return []corev1.Pod{*first}, nil
	}
	all, err := in.clients.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("listing the pods in %s: %w", namespace, err)
	}
	pods := []corev1.Pod{*first}
	for _, p := range all.Items {
		if c := metav1.GetControllerOf(&p); c != nil && c.UID == owner.UID && p.Name != first.Name {
			pods = append(pods, p)
		}
	}
	return pods, nil
}

// settled is in with the server's container named: the one that declares its port, else the first.
func settled(in opening, pods []corev1.Pod) opening {
	p := *in.target.Postgres
	if p.Container != "" || len(pods) == 0 || len(pods[0].Spec.Containers) == 0 {
		return in
	}
	all := pods[0].Spec.Containers
	at := max(0, slices.IndexFunc(all, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Ports, func(port corev1.ContainerPort) bool { return int(port.ContainerPort) == p.Port })
	}))
	p.Container, in.target.Postgres = all[at].Name, &p
	return in
}

// serverNamespace is where the server's pods are.
func serverNamespace(in opening) string {
	if n := in.target.Postgres.Namespace; n != "" {
		return n
	}
	return in.namespace
}

// keep names the workload of the server itself, which is never rolled although it may read the same Secret.
func keep(pods []corev1.Pod) []string {
	if len(pods) == 0 {
		return nil
	}
	if c := metav1.GetControllerOf(&pods[0]); c != nil && c.Kind == "StatefulSet" {
		return []string{"statefulset/" + c.Name}
	}
	return nil
}

// nodes are the server in each of its pods and the way there, or the one at an address.
func nodes(in opening, pods []corev1.Pod, admin postgres.Admin) (all []postgres.Node) {
	p := in.target.Postgres
	if in.via == kube.ViaDirect {
		host, port := hostAndPort(p.Address)
		return []postgres.Node{{Name: p.Address, Host: host, Port: port}}
	}
	for _, pod := range pods {
		dialer := in.clients.Dialer(serverNamespace(in), pod.Name)
		dialer.Via, dialer.Container = in.via, p.Container
		dialer.Socket = socket(in.via, p.Port, admin)
		dialer.OnTake = func(taken kube.Via, instead error) {
			if instead != nil {
				in.say("reaching %s by %s, since: %v", pod.Name, taken, instead)
			}
		}
		all = append(all, postgres.Node{Name: pod.Name, Port: uint16(p.Port), Dial: dialer.DialContext}) //nolint:gosec // validated
	}
	return all
}

// socket is the server's Unix socket, where exec is to go there: as the last resort, or because the administrator has
// no password and the server may know him as its own user (peer). "" goes to the port, where logins can be proven.
func socket(via kube.Via, port int, admin postgres.Admin) string {
	if via == kube.ViaAuto || via == kube.ViaExec && admin.Password.Empty() {
		return fmt.Sprintf("/var/run/postgresql/.s.PGSQL.%d", port)
	}
	return ""
}
