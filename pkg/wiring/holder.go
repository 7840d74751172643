package wiring

import (
	"context"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kubesecret"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/secretdata"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// How a rotation of a login looks at the world.
const (
	observationWindow = time.Second / 2 // how long nobody may be seen on the old login
	clockSkew         = 5 * time.Second // between the API server and the nodes
	effectLimit       = 30 * time.Second
)

// holder is a target whose Secret holds a login: all of it but the server, with its consumers.
func holder(ctx context.Context, in opening, store *kubesecret.Store, pods []corev1.Pod) (*Opened, workload.Across, error) {
	kept, err := keep(ctx, in, pods)
	if err != nil {
		return nil, nil, err
	}
	watched, stop := context.WithCancel(ctx)
	consumers := consumersOf(in, kept, func(text string) string { return redacted(ctx, store, text) })
	o := &Opened{Clients: in.clients, Config: in.target, Namespace: in.namespace}
	o.onClose(stop)
	o.Rotation = rotation.Rotation{
		Target: in.target.Name,
		Setup: rotation.Setup{
			Parts:       rotation.Parts{Store: store, Consumers: consumers},
			Policy:      rotation.Policy{Window: observationWindow, Skew: clockSkew},
			Environment: rotation.Environment{Now: in.clients.Now, Who: consumers.PodAt},
		},
		Limit: effectLimit,
		Wake:  consumers.Changes(watched),
	}
	return o, consumers, nil
}

// identity is what tells a target from all others: the UID of its Secret. Whoever may write in the namespace cannot choose it.
func identity(ctx context.Context, in opening) (string, error) {
	s, err := in.clients.Kube.CoreV1().Secrets(in.namespace).Get(ctx, in.target.Secret.Name, metav1.GetOptions{})
	if err != nil {
		return "", err
	}
	return string(s.UID), nil
}

// known are the names of all versions on record.
func known(rec rotation.Record) (names []string) {
	for _, c := range rec.Live {
		names = append(names, c.ID)
	}
	return names
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
func layout(kind config.Kind, s config.Secret) secretdata.Layout {
	l := secretdata.Layout{
		Username: s.Username, Password: s.Password, Login: s.Login, DSN: s.DSN, Copies: s.Copies, Ignore: s.Ignore,
	}
	if kind == config.KindRedis {
		l.Implied = redisacl.Default
	}
	return l
}

// secretStore is the record of a target whose Secret holds a login.
func secretStore(in opening) *kubesecret.Store {
	secrets := secretsOf(in)
	store := newStore(in, secrets[0], content(layout(in.target.Kind, secrets[0])))
	for _, s := range secrets[1:] {
		store.Also = append(store.Also, kubesecret.Secret{
			Secrets: in.clients.Kube.CoreV1(), Namespace: s.Namespace, Name: s.Name, Content: content(layout(in.target.Kind, s)),
		})
	}
	return store
}

// newStore is a store whose record stands in the given Secret.
func newStore(in opening, app config.Secret, c kubesecret.Content) *kubesecret.Store {
	return &kubesecret.Store{Store: ledger.Store{Ledger: ledger.Ledger{
		Secrets: in.clients.Kube.CoreV1(), Namespace: app.Namespace, Name: app.Name, Content: c, About: about(in.target), Now: in.clients.Now,
	}}}
}

func content(l secretdata.Layout) kubesecret.Content {
	return kubesecret.Content{
		Parse: func(data map[string][]byte) (rotation.Credential, error) { return l.For(data).Parse(data) },
		Render: func(v rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
			return l.For(data).Render(v, live, data)
		},
		Mend: func(v rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
			return l.For(data).Mend(v, live, data)
		},
		Keys: func(data map[string][]byte) []string {
			keys, err := l.For(data).Keys(data)
			if err != nil { // an edit that nothing can be read from: all of it may be ours
				return slices.Sorted(maps.Keys(data))
			}
			return keys
		},
	}
}
