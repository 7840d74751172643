package wiring

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// look is one thing that is looked at before a rotation begins.
type look = func(context.Context, rotation.Record) ([]rotation.Item, error)

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
			return []rotation.Item{backup(ctx, in, *b)}, nil
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

// backup is whether there is one that is young enough. Where that cannot be seen somebody has to say so.
func backup(ctx context.Context, in opening, b config.Backup) rotation.Item {
	item := rotation.Item{Name: "backup", Phase: rotation.ToDo, Consent: rotation.ConsentBackup}
	namespace := cmp.Or(b.Namespace, in.namespace)
	var at time.Time
	var what string
	var err error
	switch {
	case b.CronJob != "":
		what = "cronjob/" + b.CronJob
		at, err = succeeded(ctx, in, namespace, b.CronJob)
	case b.SnapshotsOf != "":
		at, what, err = snapshot(ctx, in, namespace, b.SnapshotsOf)
	default:
		item.Note = "nothing says where to see one: is there a backup to go back to?"
		return item
	}
	age := in.clients.Now().Sub(at)
	switch {
	case err != nil:
		item.Note = fmt.Sprintf("whether there is one could not be seen: %v", err)
	case at.IsZero():
		item.Note = fmt.Sprintf("%s in namespace %s has none yet", what, namespace)
	case age > b.MaxAge.Duration:
		item.Note = fmt.Sprintf("that of %s is %s old, and may be %v", what, aged(age), b.MaxAge)
	default:
		item.Phase, item.Note = rotation.Done, fmt.Sprintf("%s, %s ago", what, aged(age))
	}
	return item
}

// aged is a time as people count it.
func aged(d time.Duration) string { return config.Duration{Duration: d.Round(time.Minute)}.String() }

// succeeded is when a CronJob last did; zero: never.
func succeeded(ctx context.Context, in opening, namespace, name string) (time.Time, error) {
	j, err := in.clients.Kube.BatchV1().CronJobs(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return time.Time{}, err
	}
	if j.Status.LastSuccessfulTime == nil {
		return time.Time{}, nil
	}
	return j.Status.LastSuccessfulTime.Time, nil
}

// snapshots are VolumeSnapshots (snapshot.storage.k8s.io/v1), as far as they are read here.
type snapshots struct {
	Items []struct {
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
		Spec struct {
			Source struct {
				Claim string `json:"persistentVolumeClaimName"`
			} `json:"source"`
		} `json:"spec"`
		Status struct {
			Ready   bool      `json:"readyToUse"`
			Created time.Time `json:"creationTime"`
		} `json:"status"`
	} `json:"items"`
}

// snapshot is when the newest snapshot of a claim was made that can be used; zero: none was.
func snapshot(ctx context.Context, in opening, namespace, claim string) (at time.Time, name string, err error) {
	text, err := in.clients.Kube.Discovery().RESTClient().Get().
		AbsPath("/apis/snapshot.storage.k8s.io/v1/namespaces", namespace, "volumesnapshots").DoRaw(ctx)
	if err != nil {
		return at, "", fmt.Errorf("listing volumesnapshots in namespace %s: %w", namespace, err)
	}
	var all snapshots
	if err := json.Unmarshal(text, &all); err != nil {
		return at, "", fmt.Errorf("reading volumesnapshots: %w", err)
	}
	name = "persistentvolumeclaim/" + claim
	for _, s := range all.Items {
		if s.Spec.Source.Claim == claim && s.Status.Ready && s.Status.Created.After(at) {
			at, name = s.Status.Created, "volumesnapshot/"+s.Metadata.Name
		}
	}
	return at, name, nil
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
	serviceRule = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"services"}, Verbs: []string{"get"}}
)

// at is a namespace that a target names, "" where that is its own.
func at(t config.Target, namespace string) string {
	if namespace == t.Namespace {
		return ""
	}
	return namespace
}

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
				{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}},
			}
		}
	}
	if b := t.Before.Backup; b != nil && at(t, b.Namespace) != "" {
		all[b.Namespace] = append(all[b.Namespace], backupRules(*b)...)
	}
	return all
}
