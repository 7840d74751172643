package wiring

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/jwtkeys"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kubesecret"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/lease"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/podrefs"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

func jwtEngine() Engine {
	return Engine{
		Kind:  config.KindJWT,
		Short: "Rotate the key that tokens (JWT) are signed with",
		Long: `Rotate the key that JSON Web Tokens are signed with, without one valid token being refused.

A new key is published beside the old one; when every pod knows it, it becomes the one to sign with; when the last token of
the old one has expired, that is taken away. Each of the three is a rollout, unless the configuration says that pods read
the Secret again by themselves. With a probe in the configuration each pod is asked what it makes of a token of either
key; without, nothing but what pods were handed is known, and that is asked about. What is under way is continued; else a
rotation begins.`,
		Example: `  kubectl rotate jwt                         # on a platform laid out as in the runbook
  kubectl rotate jwt --dry-run               # what would be done
  kubectl rotate jwt --yes --accept=unproven # no questions, and no probe
  kubectl rotate abort jwt                   # back to the key of before`,
		Emergency: `Replace a signing key that has leaked. The new key takes its place in the Secret at once, under names that consumers know; every
pod that accepts the old one is replaced, or with --cut ended. Nothing is waited for but that: all tokens of the old key
are refused, and everybody has to log in again. There is no way back.

What is looked at: that every pod that knew the old key has ended, as its kubelet reports it, and with a probe in the
configuration that each pod refuses a token of it. The time until then is reported. It is
"kubectl rotate jwt --compromised" under a name that is found when it is needed; it works in the middle of a rotation too.`,
		open:    openJWT,
		store:   func(in opening) rotation.Store { return keyStore(in, layoutOfKeys(in.target, nil)) },
		Outline: rotation.VerifierOutline,
		rules:   jwtRules,
		Admin:   "redis-admin",
		helpful: []rbacv1.PolicyRule{
			// The last words of a container that does not come up.
			{APIGroups: []string{""}, Resources: []string{"pods/log"}, Verbs: []string{"get"}},
		},
	}
}

// jwtRules are the permissions that a rotation of signing keys takes: those of its parts, and the way to the pods that are asked.
func jwtRules(t config.Target, via kube.Via, s *Scope) map[string][]rbacv1.PolicyRule {
	rules := slices.Concat(kubesecret.Rules(t.Secret.Name), lease.Rules(t.Secret.Name), workload.Rules(s.moved(t.Namespace)))
	switch kind, name := t.JWT.SetObject(); kind {
	case "secret":
		rules = append(rules, kubesecret.RulesAlso(name)...)
	case "configmap":
		rules = append(rules, kubesecret.RulesShown(name)...)
	}
	if p := t.JWT.Probe; p != nil {
		rules = append(rules, wayRules(via, nil)...)
		if p.Issue != nil && p.Issue.Body != nil {
			rules = append(rules, readSecret(p.Issue.Body.Name))
		}
	}
	all := map[string][]rbacv1.PolicyRule{"": rules}
	if t.JWT.Sessions != nil {
		sessionRules(all, t, via, s)
	}
	return all
}

// openJWT puts a set of signing keys and its consumers together.
func openJWT(ctx context.Context, in opening) (*Opened, error) {
	probe := in.target.JWT.Probe
	o, consumers := keyHolder(ctx, in)
	named, err := consumers[0].KeysByName(ctx)
	if err != nil {
		o.Close()
		return nil, err
	}
	layout := layoutOfKeys(in.target, named)
	layout.Leaked = in.leaked
	store := keyStore(in, layout)
	unasked := jwtkeys.Unasked{Layout: layout, Algorithm: in.target.JWT.Algorithm, Lives: in.target.JWT.Lifetime.Duration, Leeway: in.target.JWT.Leeway.Duration}
	o.Store, o.System, o.Reloads = store, unasked, in.target.JWT.Reloads
	o.Preflight = []look{
		o.asked(consumers.Preflight),
		o.noted(store.Preflight),
		o.keys(in, layout),
		o.judged(in, false),
	}
	o.urgent = []look{o.noted(store.Preflight), o.judged(in, true)}
	if in.target.JWT.Sessions != nil {
		o.sessions = &sessions{in: in, say: in.say}
	}
	if probe == nil {
		o.Preflight = append(o.Preflight, o.noted(func(context.Context) ([]string, error) {
			return []string{"what pods make of a token will not be proven: the configuration has no jwt.probe. That is asked about before the new key signs, and before the old one goes"}, nil
		}))
		return o, nil
	}
	asked, err := askedPods(ctx, in, unasked)
	if err != nil {
		o.Close()
		return nil, err
	}
	o.System = asked
	o.Preflight = append(o.Preflight, shown("probe", "each pod accepts the key in use, and refuses what nobody signed",
		func(ctx context.Context, rec rotation.Record) ([]rotation.Item, error) {
			return o.noted(func(ctx context.Context) ([]string, error) {
				workloads, err := consumers.Workloads(ctx)
				if err != nil {
					return nil, err
				}
				return asked.Preflight(ctx, workloads, rec.Current)
			})(ctx, rec)
		}))
	return o, nil
}

// keyHolder is a target whose Secret holds signing keys: all of it but the keys.
func keyHolder(ctx context.Context, in opening) (*Opened, workload.Across) {
	watched, stop := context.WithCancel(ctx)
	store := keyStore(in, layoutOfKeys(in.target, nil))
	consumers := workload.Across{keyConsumers(in)}
	consumers[0].Redact = func(text string) string { return redacted(ctx, store, text) }
	o := &Opened{Clients: in.clients, Config: in.target, Namespace: in.namespace}
	o.onClose(stop)
	o.Rotation = rotation.Rotation{
		Target: in.target.Name,
		Setup: rotation.Setup{
			Parts:       rotation.Parts{Consumers: consumers},
			Policy:      rotation.Policy{Window: observationWindow, Skew: clockSkew},
			Environment: rotation.Environment{Now: in.clients.Now, Who: consumers.PodAt},
		},
		Limit: effectLimit,
		Wake:  consumers.Changes(watched),
	}
	return o, consumers
}

// keyConsumers are the consumers of signing keys.
func keyConsumers(in opening) *workload.Consumers {
	return &workload.Consumers{
		Client: in.clients.Kube, Namespace: in.namespace, Secret: in.target.Secret.Name, Names: readOfKeys(in.target), More: in.target.Consumers,
		Now: in.clients.Now,
	}
}

// layoutOfKeys is how signing keys stand in the target's Secret. Those of named that look like signing keys are handed to
// consumers one by one.
func layoutOfKeys(t config.Target, named []string) jwtkeys.Layout {
	j := t.JWT
	l := jwtkeys.Layout{Active: j.Active, Prefix: j.Prefix, Key: j.Key, Public: j.Public, Set: j.Set, Apart: j.SetIn != ""}
	for _, name := range named {
		if own := l.Signing(name); own != "" && !slices.Contains(l.Named, own) {
			l.Named = append(l.Named, own)
		}
	}
	return l
}

// keyStore is the record of a target whose Secret holds signing keys.
func keyStore(in opening, l jwtkeys.Layout) *kubesecret.Store {
	s := newStore(in, config.Secret{Namespace: in.namespace, Name: in.target.Secret.Name},
		kubesecret.Content{Parse: l.Parse, Render: l.Render, Mend: l.Mend, Keys: l.Keys})
	set := kubesecret.Content{Shown: l.Shown, Render: l.ShowSet, Keys: func(map[string][]byte) []string { return []string{l.Set} }}
	switch kind, name := in.target.JWT.SetObject(); kind {
	case "secret":
		s.Also = []ledger.Place{kubesecret.Secret{Secrets: in.clients.Kube.CoreV1(), Namespace: in.namespace, Name: name, Content: set}}
	case "configmap":
		s.Also = []ledger.Place{kubesecret.ConfigMap{ConfigMaps: in.clients.Kube.CoreV1(), Namespace: in.namespace, Name: name, Content: set}}
	}
	return s
}

// readOfKeys are the objects whose readers are consumers of signing keys, as workload has them.
func readOfKeys(t config.Target) []string {
	names := []string{t.Secret.Name}
	switch kind, name := t.JWT.SetObject(); kind {
	case "secret":
		names = append(names, name)
	case "configmap":
		names = append(names, podrefs.ConfigMap(name))
	}
	return names
}

// keys looks at the Secret's own side: whether there is room for two keys, and what else is to be said of them.
func (o *Opened) keys(in opening, l jwtkeys.Layout) look {
	return o.asked(func(ctx context.Context) (notes []string, asks []rotation.Item, err error) {
		name := in.target.Secret.Name
		s, err := in.clients.Kube.CoreV1().Secrets(in.namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return nil, nil, err
		}
		current, err := l.Parse(s.Data)
		if err != nil {
			return nil, nil, rotation.Refuse(fmt.Errorf("secret %s/%s: %w", in.namespace, name, err))
		}
		if !l.Room(current) {
			return nil, nil, rotation.Refuse(rotation.WithHint(
				fmt.Errorf("secret %s/%s has no room for a second signing key beside %s: a new one would have every token refused that is valid now", in.namespace, name, current.ID),
				"have the application know several keys by their names, and one name that says which to sign with, as in docs/runbook.md"))
		}
		for _, text := range l.Remarks(s.Data) {
			notes = append(notes, fmt.Sprintf("secret %s/%s: %s", in.namespace, name, text))
		}
		return notes, nil, nil
	})
}

// judged refuses a key in use that its algorithm can't sign with: the next one would be no better. One that is weak is named, and
// stops nothing: to keep it would be worse.
func (o *Opened) judged(in opening, leaked bool) look {
	return func(ctx context.Context, rec rotation.Record) ([]rotation.Item, error) {
		weak, err := jwtkeys.Judge(rec.Current, in.target.JWT.Algorithm)
		where := fmt.Sprintf("secret %s/%s", in.namespace, in.target.Secret.Name)
		if err != nil {
			return nil, rotation.Refuse(fmt.Errorf("%s: %w", where, err))
		}
		if weak != "" && !leaked {
			o.Note(fmt.Sprintf("%s: %s; the next one is strong enough. If it may have been found already, treat it as leaked: `kubectl rotate emergency-jwt`", where, weak))
		}
		return nil, nil
	}
}

// askedPods are the verifiers as the configuration's probe asks them.
func askedPods(ctx context.Context, in opening, unasked jwtkeys.Unasked) (*jwtkeys.Asked, error) {
	p := in.target.JWT.Probe
	a := &jwtkeys.Asked{
		Unasked: unasked, Scheme: p.Scheme, Port: p.Port,
		Verify: jwtkeys.Request{Method: p.Verify.Method, Path: p.Verify.Path},
		Now:    in.clients.Now, Claims: claimsOf(p.Claims),
		Dial: func(_, pod string) func(context.Context, string, string) (net.Conn, error) {
			d := in.clients.Dialer(in.namespace, pod)
			d.Via = in.via
			return d.DialContext
		},
	}
	if len(p.Consumers) > 0 {
		a.Covers = func(workload string) bool { return slices.Contains(p.Consumers, workload) }
	}
	if p.Issue == nil {
		return a, nil
	}
	a.Issue, a.Field = &jwtkeys.Request{Method: p.Issue.Method, Path: p.Issue.Path}, p.Issue.Field
	if len(p.Issue.Consumers) > 0 {
		a.Issues = func(workload string) bool { return slices.Contains(p.Issue.Consumers, workload) }
	}
	if ref := p.Issue.Body; ref != nil {
		body, err := in.clients.ReadKey(ctx, in.namespace, ref.Name, ref.Key)
		if err != nil {
			return nil, fmt.Errorf("reading the body of the probe's request: %w", err)
		}
		a.Body = body
	}
	return a, nil
}

// claimsOf are the claims that the configuration wants a token to have.
func claimsOf(c config.Claims) map[string]any {
	all := map[string]any{}
	for name, value := range map[string]string{"iss": c.Issuer, "aud": c.Audience, "sub": c.Subject} {
		if strings.TrimSpace(value) != "" {
			all[name] = value
		}
	}
	return all
}
