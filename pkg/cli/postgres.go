package cli

import (
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
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
			// The last words of a container that does not come up.
			{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
			// A pooler between the application and the server.
			{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"get"}},
		},
	}
}

// postgresRules are the permissions that a rotation takes: those of its parts, and the way to the server.
func postgresRules(t config.Target, via kube.Via) []rbacv1.PolicyRule {
	rules := slices.Concat(kubesecret.Rules(t.Secret.Name), lease.Rules(t.Secret.Name), workload.Rules())
	if admin := t.Postgres.Admin.Secret; admin != nil {
		rules = append(rules, rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{admin.Name}, Verbs: []string{"get"},
		})
	}
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
	admin, err := administrator(ctx, in)
	if err != nil {
		return nil, err
	}
	server := &postgres.Server{
		Admin: admin, TLS: postgres.TLS{Mode: postgres.TLSMode(in.target.Postgres.SSLMode)},
		Owner: in.target.Postgres.Owner, Reassign: in.reassign, ValidFor: in.target.Interval.Duration,
	}
	server.Nodes = nodes(in, pods, admin)
	var unproven []string
	if server.Doors, unproven, err = doors(ctx, in, pods); err != nil {
		return nil, err
	}
	watched, stop := context.WithCancel(ctx)
	consumers := &workload.Consumers{
		Client: in.clients.Kube, Namespace: in.namespace, Secret: in.target.Secret.Name, Keep: keep(pods),
		Now: in.clients.Now, Redact: func(text string) string { return redacted(ctx, store, text) },
	}
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
		Target:  in.target.Name,
		Parts:   rotation.Parts{System: server, Store: store, Consumers: consumers},
		Options: rotation.Options{Window: observationWindow, Skew: clockSkew, Now: in.clients.Now},
		Limit:   effectLimit,
		Wake:    consumers.Changes(watched),
	}
	o.Preflight = []func(context.Context, rotation.Record) error{
		o.noted(func(ctx context.Context) ([]string, error) { return written(ctx, in) }),
		o.noted(func(ctx context.Context) ([]string, error) { return store.Preflight(ctx) }),
		o.noted(func(ctx context.Context) ([]string, error) { return consumers.Preflight(ctx) }),
		o.noted(func(context.Context) ([]string, error) { return unproven, nil }),
		o.noted(func(ctx context.Context) ([]string, error) { return server.Preflight(ctx, data.Current) }),
	}
	return o, nil
}

// redacted is text without any value that the target has or had. Where they cannot be read nothing of it is shown.
func redacted(ctx context.Context, store rotation.Store, text string) string {
	rec, err := store.Load(ctx)
	if err != nil {
		return ""
	}
	for _, c := range append(slices.Collect(maps.Values(rec.Live)), rec.Current) {
		value := string(c.Value.Reveal())
		for _, form := range []string{value, url.QueryEscape(value), base64.StdEncoding.EncodeToString([]byte(value))} {
			if form != "" {
				text = strings.ReplaceAll(text, form, rotation.Redacted)
			}
		}
	}
	return text
}

// noted is a preflight whose notes are told to the operator.
func (o *opened) noted(look func(context.Context) ([]string, error)) func(context.Context, rotation.Record) error {
	return func(ctx context.Context, _ rotation.Record) error {
		notes, err := look(ctx)
		for _, note := range notes {
			o.note(note)
		}
		return err
	}
}

// layout is how the target's credential stands in its Secret.
func layout(t config.Target) secretdata.Layout {
	s := t.Secret
	return secretdata.Layout{
		Username: s.Username, Password: s.Password, Login: s.Login, DSN: s.DSN, Copies: s.Copies, Ignore: s.Ignore,
	}
}

// written refuses a Secret with a copy of the credential that could not be changed with it.
func written(ctx context.Context, in opening) (notes []string, err error) {
	s, err := in.clients.Kube.CoreV1().Secrets(in.namespace).Get(ctx, in.target.Secret.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	l := layout(in.target)
	if err := l.Check(s.Data); err != nil {
		return nil, rotation.Refuse(fmt.Errorf("secret %s/%s: %w", in.namespace, s.Name, err))
	}
	return l.Remarks(s.Data), nil
}

// secretStore is the record of a target whose Secret holds a login.
func secretStore(in opening) *kubesecret.Store {
	l := layout(in.target)
	return &kubesecret.Store{
		Secrets: in.clients.Kube.CoreV1(), Namespace: in.namespace, Name: in.target.Secret.Name,
		Parse: l.Parse, Render: l.Render, Now: in.clients.Now,
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
