package wiring

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/gate"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// before puts the target's own items around what its engine looks at. Those that hold a rotation up come last: nobody is asked
// about a backup for a rotation that is refused.
func (o *Opened) before(in opening) {
	first := func(context.Context, rotation.Record) ([]rotation.Item, error) {
		for _, text := range o.unlooked {
			o.Note(text)
		}
		if len(o.Lacking) > 0 {
			return nil, nil
		}
		return []rotation.Item{{Name: "permissions", Phase: rotation.Done, Note: "all that a rotation takes are there"}}, nil
	}
	o.Preflight = append([]look{first}, o.Preflight...)
	if b := in.target.Before.Backup; b != nil {
		o.Preflight = append(o.Preflight, func(ctx context.Context, _ rotation.Record) ([]rotation.Item, error) {
			return []rotation.Item{backup(in, *b).Look(ctx)}, nil
		})
	}
	if windows := in.target.Before.Windows; len(windows) > 0 {
		o.Preflight = append(o.Preflight, func(context.Context, rotation.Record) ([]rotation.Item, error) {
			item, err := window(windows, in.clients.Now())
			return []rotation.Item{item}, err
		})
	}
	if len(in.target.Notify) > 0 {
		o.Preflight = append(o.Preflight, func(ctx context.Context, _ rotation.Record) ([]rotation.Item, error) {
			return []rotation.Item{o.notified(ctx, in)}, nil
		})
	}
}

// shown is look with a line in the checklist for what it has proven.
func shown(name, note string, l look) look {
	return func(ctx context.Context, rec rotation.Record) ([]rotation.Item, error) {
		items, err := l(ctx, rec)
		if err != nil {
			return nil, err
		}
		return append(items, rotation.Item{Name: name, Phase: rotation.Done, Note: note}), nil
	}
}

// backup is where the configuration says that backups are seen.
func backup(in opening, b config.Backup) gate.Backup {
	return gate.Backup{
		Client: in.clients.Kube, Namespace: cmp.Or(b.Namespace, in.namespace), CronJob: b.CronJob, SnapshotsOf: b.SnapshotsOf,
		MaxAge: b.MaxAge.Duration, Now: in.clients.Now,
		Text: func(d time.Duration) string { return config.Duration{Duration: d}.String() },
	}
}

// window is whether a rotation may begin now.
func window(windows []string, now time.Time) (rotation.Item, error) {
	item := rotation.Item{Name: "window", Phase: rotation.ToDo, Consent: rotation.ConsentWindow}
	var next time.Time
	for _, text := range windows {
		w, err := config.ParseWindow(text)
		if err != nil {
			return item, err
		}
		if w.Contains(now) {
			item.Phase, item.Note = rotation.Done, "in "+text
			return item, nil
		}
		if at := w.Next(now); next.IsZero() || at.Before(next) {
			next = at
		}
	}
	item.Note = fmt.Sprintf("it is outside of %s, which opens next at %s UTC", strings.Join(windows, " and "), next.UTC().Format("Mon 2006-01-02 15:04"))
	return item, nil
}

// itemRules are permissions that the target's own items take in its namespace: a gate that cannot be looked at holds a rotation up,
// and who cannot be told is not.
func itemRules(t config.Target) (rules []rbacv1.PolicyRule) {
	rules = append(rules, rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"events"}, Verbs: []string{"create"}})
	var secrets []string
	for _, n := range t.Notify {
		secrets = append(secrets, n.Secret.Name)
	}
	if t.Grafana != nil {
		secrets = append(secrets, t.Grafana.Token.Name)
	}
	forwards, serves := t.Gates.Ready != nil, false
	for _, p := range t.Asked() {
		if p.Token != nil {
			secrets = append(secrets, p.Token.Name)
		}
		here := p.URL == "" && at(t, p.Namespace) == ""
		forwards, serves = forwards || here, serves || here && p.Service != ""
	}
	slices.Sort(secrets)
	for _, name := range slices.Compact(secrets) {
		rules = append(rules, readSecret(name))
	}
	if forwards {
		rules = append(rules, forwardRule)
	}
	if serves {
		rules = append(rules, serviceRule)
	}
	if b := t.Before.Backup; b != nil && at(t, b.Namespace) == "" {
		rules = append(rules, backupRules(*b)...)
	}
	return rules
}

var (
	forwardRule = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/portforward"}, Verbs: []string{"create"}}
	podsRule    = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}}
	// makersRule is to tell the pods of a server from those that only name its controller.
	makersRule  = rbacv1.PolicyRule{APIGroups: []string{"apps"}, Resources: []string{"deployments", "replicasets", "statefulsets", "daemonsets"}, Verbs: []string{"get"}}
	serviceRule = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"get"}}
)

func backupRules(b config.Backup) []rbacv1.PolicyRule {
	switch {
	case b.CronJob != "":
		return []rbacv1.PolicyRule{{APIGroups: []string{"batch"}, Resources: []string{"cronjobs"}, ResourceNames: []string{b.CronJob}, Verbs: []string{"get"}}}
	case b.SnapshotsOf != "":
		return []rbacv1.PolicyRule{{APIGroups: []string{"snapshot.storage.k8s.io"}, Resources: []string{"volumesnapshots"}, Verbs: []string{"list"}}}
	}
	return nil
}

// itemRulesElsewhere are those in other namespaces: where Prometheus is, and where backups are made.
func itemRulesElsewhere(t config.Target) map[string][]rbacv1.PolicyRule {
	all := map[string][]rbacv1.PolicyRule{}
	for _, p := range t.Asked() {
		if there := at(t, p.Namespace); p.URL == "" && there != "" && all[there] == nil {
			all[there] = []rbacv1.PolicyRule{
				serviceRule, forwardRule,
				podsRule, makersRule,
			}
		}
	}
	if b := t.Before.Backup; b != nil && at(t, b.Namespace) != "" {
		all[b.Namespace] = append(all[b.Namespace], backupRules(*b)...)
	}
	return all
}
