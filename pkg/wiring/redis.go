package wiring

import (
	"context"
	"regexp"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/discover"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/gate"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/secretdata"
)

func redisEngine() Engine {
	return Engine{
		Kind:  config.KindRedis,
		Short: "Rotate the ACL user of a Redis or Valkey server",
		Long: `Rotate the ACL user that an application has at a Redis or Valkey server, without losing a command or a message.

A new user with the same rules is created beside the old one, on every node, and saved; the Secret changes to it; the
consumers roll; when nobody is connected as the old user any more it is turned off for a while, and then deleted.
Where the Secret has no key for a user name, the user is default: it has two passwords for a while instead. What is
under way is continued; else a rotation begins.`,
		Example: `  kubectl rotate redis                       # on a platform laid out as in the runbook
  kubectl rotate redis --dry-run             # what would be done
  kubectl rotate redis --yes -n shop         # no questions
  kubectl rotate abort redis                 # back to the user of before`,
		open:    openRedis,
		store:   func(in opening) rotation.Store { return secretStore(in) },
		Outline: rotation.ServerOutline,
		rules:   serverRules,
		Admin:   "redis-admin",
		Discover: &discover.Kind{
			Kind: config.KindRedis, Port: 6379, Nameless: true, // a password alone is that of default
			Image:  regexp.MustCompile(`redis|valkey`),
			Scheme: regexp.MustCompile(`^(redis|valkey)s?:`),
			Name:   regexp.MustCompile(`redis|valkey|cache`),
			Layout: func(s config.Secret) secretdata.Layout { return layout(config.KindRedis, s) },
			Lead:   func(t *config.Target, pod, _ string) { t.Redis = &config.Redis{Pod: pod} },
		},
		helpful: []rbacv1.PolicyRule{
			// The last words of a container that does not come up.
			{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
			// A user's name in what consumers read beside the Secret, and the configuration of the server.
			{APIGroups: []string{""}, Resources: []string{"configmaps"}, Verbs: []string{"get"}},
		},
	}
}

// acl is a Redis server with one user for each version, or with one user that has two passwords.
type acl interface {
	rotation.Server
	Preflight(ctx context.Context, current rotation.Credential) (notes []string, asks []rotation.Item, err error)
}

// openRedis puts a Redis server, a Secret and its consumers together.
func openRedis(ctx context.Context, in opening) (*Opened, error) {
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
	admin, err := redisAdmin(ctx, in, data)
	if err != nil {
		return nil, err
	}
	secured, err := redisTLS(ctx, in, *in.target.Redis)
	if err != nil {
		return nil, err
	}
	id, err := identity(ctx, in)
	if err != nil {
		return nil, err
	}
	server := &redisacl.Server{
		Nodes: stores{in, pods, in.clients.Owners()}.nodes, Admin: admin, TLS: secured, Now: in.clients.Now,
		Target: id, Own: held(store), Leaked: in.leaked, Agreed: in.agreed,
	}
	as := acl(server)
	kept := stays(data, in.target)
	if kept {
		as = redisacl.TwoPasswords{Server: server, End: in.endsAll()}
	}
	o, consumers, err := holder(ctx, in, store, pods)
	if err != nil {
		return nil, err
	}
	server.Note = o.Note
	o.System, o.Missed, o.Began = as, server.Refused, server.Alone
	o.refused, o.inUse = server.Refused, server.InUse
	refusals := gate.Refusals{Pods: podsOf(in.clients, consumers), Refused: server.Refused, Skew: clockSkew, Corroborator: o.corroborator(in)}
	o.Gates = []rotation.Gate{{
		Name: "refusals", Want: "no pod on the new version is turned away at the server", Look: refusals.Look, Patience: corroboration,
	}}
	if kept {
		o.Missed = nil // whoever is turned away as default may be anybody
	}
	o.Leftovers = func(ctx context.Context, rec rotation.Record) ([]string, error) {
		return server.Leftovers(ctx, rec.Current, known(rec)...)
	}
	o.onClose(func() { _ = server.Close() })
	l := looks{store: store, consumers: consumers, current: data.Current, renames: !kept, server: as.Preflight}
	o.Preflight, o.urgent = o.preflight(in, l), o.urgently(in, l)
	return o, nil
}

// endsAll says whether all connections of a user that stays are ended when its old password goes: on request, and where that has leaked unless
// the operator wants to wait.
func (in opening) endsAll() bool { return in.terminate || in.leaked && !in.wait }

// held are the credentials that the target has: the one in its Secret, and those on record.
func held(store rotation.Store) func(context.Context) ([]rotation.Credential, error) {
	return func(ctx context.Context) ([]rotation.Credential, error) {
		rec, err := store.Load(ctx)
		return append(values(rec), rec.Current), err
	}
}

// redisAdmin is who changes users: as configured, else as the server's own pod is told, else the user default without a password.
// Where that is the very user that is rotated, the versions on record are tried too.
func redisAdmin(ctx context.Context, in opening, rec rotation.Record) (redisacl.Admin, error) {
	admin := redisacl.Admin{User: in.server.Admin.User}
	if in.server.Admin.Secret != nil {
		password, err := adminPassword(ctx, in)
		admin.Passwords = append(admin.Passwords, password)
		return admin, err
	}
	found, err := requirepass(ctx, in)
	if err != nil && !(in.via == kube.ViaDirect && apierrors.IsNotFound(err)) {
		return admin, err
	}
	if !found.Empty() {
		admin.Passwords = append(admin.Passwords, found)
	}
	for _, c := range append(values(rec), rec.Current) {
		if c.ID == admin.User && !c.Value.Empty() {
			admin.Passwords = append(admin.Passwords, c.Value)
		}
	}
	return admin, nil
}

func values(rec rotation.Record) (all []rotation.Credential) {
	for _, c := range rec.Live {
		all = append(all, c)
	}
	return all
}

// requirepass looks for the password of default in the environment of the server's container, on its command line, and in the
// configuration that it is started with.
func requirepass(ctx context.Context, in opening) (rotation.Secret, error) {
	env, err := kube.ContainerEnv(ctx, in.clients.Kube.CoreV1(), serverNamespace(in), in.server.Pod, in.server.Container)
	if err != nil {
		return rotation.Secret{}, err
	}
	if password, found, err := redisacl.PasswordIn(valueOf(ctx, env)); err != nil {
		return rotation.Secret{}, notFound(in.server, err)
	} else if found {
		return password, nil
	}
	v, found, err := env.Argument(ctx, "--requirepass")
	if err != nil {
		return rotation.Secret{}, notFound(in.server, err)
	}
	if found {
		return v.Value, nil
	}
	file, _ := env.ConfigFile(ctx, ".conf")
	return redisacl.Directive(file.Value, "requirepass"), nil
}
