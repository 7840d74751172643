// Package status is how targets stand: their age, when they are due, whether they are overdue or stuck,
// and their phase. It reads records, or surveys one target, and changes nothing.
package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/report"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const (
	atOnce   = 16  // requests of a glance at many targets
	pageSize = 500 // objects in one answer
	// many is from how many records on it is less to list the metadata of all Secrets than to get each.
	many = 100
)

// Viewer looks at targets by the metadata of their Secrets alone: no value is read, and how many other Secrets there are
// does not matter.
type Viewer struct {
	Clients  *kube.Clients
	Selector labels.Selector // of the application's Secrets
	Presumed bool            // the targets come from no file: one that is not there, or is somebody else's matter, is no mistake
	// Store is the record of a target.
	Store func(t config.Target, namespace string) rotation.Store
	// Known says whether targets of a kind can be rotated.
	Known func(config.Kind) bool
	// Outline is the checklist of a kind with nothing behind it, that of any other kind where the kind is not known.
	Outline func(config.Kind) func(rotation.Intent) []rotation.Step
	// Line is the command that goes on with a target, or takes its rotation back; "" where there is none.
	Line func(t config.Target, namespace string, back, compromised bool) string
}

// KindUnknown is the kind of a target of which neither a configuration nor its record says what it is.
const KindUnknown = "unknown"

// sight is a target as a glance finds it.
type sight struct {
	target      config.Target
	namespace   string
	app, record *metav1.PartialObjectMetadata
	err         error
	missing     bool // which is no mistake
}

var secretsResource = corev1.SchemeGroupVersion.WithResource("secrets")

// configured are the targets of the configuration.
func (v Viewer) configured(ctx context.Context, targets []config.Target) []sight {
	all := make([]sight, len(targets))
	each(len(targets), func(i int) {
		s := sight{target: targets[i], namespace: v.Clients.NamespaceOr(targets[i].Namespace)}
		name := s.target.Secret.Name
		if s.app, s.err = v.get(ctx, s.namespace, name); s.err == nil {
			s.record, s.err = v.get(ctx, s.namespace, ledger.Record(name))
			if apierrors.IsNotFound(s.err) {
				s.err = nil
			}
		}
		all[i] = s
	})
	there := func(s sight) bool { return !apierrors.IsNotFound(s.err) && !apierrors.IsForbidden(s.err) }
	if !v.Presumed || !slices.ContainsFunc(all, there) {
		return all
	}
	for i := range all {
		all[i].missing = apierrors.IsNotFound(all[i].err)
	}
	return slices.DeleteFunc(all, func(s sight) bool { return apierrors.IsForbidden(s.err) })
}

// everywhere are the targets of known, and all others in the cluster that were ever rotated.
func (v Viewer) everywhere(ctx context.Context, known []sight) ([]sight, error) {
	records, err := v.list(ctx, ledger.Records)
	if err != nil {
		return nil, err
	}
	if v.Presumed { // the records say what there is
		known = slices.DeleteFunc(known, func(s sight) bool { return apierrors.IsNotFound(s.err) })
	}
	for _, s := range known {
		records = slices.DeleteFunc(records, func(r metav1.PartialObjectMetadata) bool {
			return r.Namespace == s.namespace && r.Name == ledger.Record(s.target.Secret.Name)
		})
	}
	apps, err := v.applications(ctx, len(records))
	if err != nil {
		return nil, err
	}
	others := make([]sight, len(records))
	each(len(records), func(i int) {
		s := sight{namespace: records[i].Namespace, record: &records[i]}
		s.target.Secret.Name, _ = ledger.Application(records[i].Name)
		s.app, s.err = apps(ctx, s.namespace, s.target.Secret.Name)
		others[i] = s
	})
	return append(known, others...), nil
}

// applications is how the metadata of n applications' Secrets are had with the fewest requests.
func (v Viewer) applications(ctx context.Context, n int) (func(context.Context, string, string) (*metav1.PartialObjectMetadata, error), error) {
	if n <= many {
		return v.get, nil
	}
	all, err := v.list(ctx, "")
	if err != nil {
		return nil, err
	}
	known := make(map[[2]string]*metav1.PartialObjectMetadata, len(all))
	for i := range all {
		known[[2]string{all[i].Namespace, all[i].Name}] = &all[i]
	}
	return func(_ context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
		if found := known[[2]string{namespace, name}]; found != nil {
			return found, nil
		}
		return nil, apierrors.NewNotFound(secretsResource.GroupResource(), name)
	}, nil
}

func (v Viewer) get(ctx context.Context, namespace, name string) (*metav1.PartialObjectMetadata, error) {
	return v.Clients.Metadata.Resource(secretsResource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
}

// list is the metadata of Secrets in all namespaces, read page by page.
func (v Viewer) list(ctx context.Context, fields string) (all []metav1.PartialObjectMetadata, err error) {
	o := metav1.ListOptions{FieldSelector: fields, Limit: pageSize}
	for {
		page, err := v.Clients.Metadata.Resource(secretsResource).List(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("listing the metadata of secrets in all namespaces: %w", v.Clients.Explain(err))
		}
		all = append(all, page.Items...)
		if o.Continue = page.Continue; o.Continue == "" {
			return all, nil
		}
	}
}

// statuses are how all of seen stand, as far as the selector matches them.
func (v Viewer) statuses(ctx context.Context, seen []sight) (all []report.Status, err error) {
	seen = slices.DeleteFunc(seen, func(s sight) bool {
		return s.missing && !v.Selector.Empty() || s.app != nil && !v.Selector.Matches(labels.Set(s.app.Labels))
	})
	all, errs := make([]report.Status, len(seen)), make([]error, len(seen))
	each(len(seen), func(i int) { all[i], errs[i] = v.status(ctx, seen[i]) })
	return all, errors.Join(errs...)
}

// status is how a target stands by its record alone. With an error it holds that too.
func (v Viewer) status(ctx context.Context, seen sight) (report.Status, error) {
	if seen.missing {
		s := v.facts(seen.target)
		s.Phase, s.RunKnown, s.BehindKnown = report.PhaseMissing, true, true
		return s, nil
	}
	rec, about, err := v.recorded(ctx, seen)
	t := v.Described(seen.target, about)
	t.Namespace = seen.namespace
	s := v.facts(t)
	s.Recorded = true
	if err != nil {
		err = v.Clients.Explain(err)
		s.Error = err.Error()
		if seen.stray() {
			return s, nil // what somebody has left behind somewhere is shown, and is nobody's failure
		}
		return s, fmt.Errorf("target %s: %w", t.Name, err)
	}
	v.stands(&s, rec, t, v.Clients.Now())
	if !seen.stray() || s.Phase != report.PhaseStandby {
		v.runs(ctx, &s, t)
	}
	s.Stuck = stuck(rec, s, waitOf(t), v.Clients.Now())
	v.commands(&s, rec, t)
	return s, nil
}

// stray says whether the configuration does not know of the target.
func (s sight) stray() bool { return s.target.Name == "" }

// recorded is the record as the metadata tells it. For a Secret that is not there, its store says which there are instead.
func (v Viewer) recorded(ctx context.Context, seen sight) (rotation.Record, ledger.About, error) {
	switch {
	case apierrors.IsNotFound(seen.err) && seen.stray():
		return rotation.Record{}, ledger.About{}, fmt.Errorf("secret %s/%s is gone, and %s is left of it",
			seen.namespace, seen.target.Secret.Name, seen.record.Name)
	case apierrors.IsNotFound(seen.err):
		_, err := v.Store(seen.target, seen.namespace).Load(ctx)
		return rotation.Record{}, ledger.About{}, cmp.Or(err, seen.err)
	case seen.err != nil:
		return rotation.Record{}, ledger.About{}, fmt.Errorf("reading the metadata of secret %s/%s: %w", seen.namespace, seen.target.Secret.Name, seen.err)
	}
	return ledger.Glance(seen.app, seen.record)
}

// Described is t with what its record says of it, where the configuration does not know of it. Whoever may write Secrets there has written
// that: a name or a kind that no configuration can have is none.
func (v Viewer) Described(t config.Target, a ledger.About) config.Target {
	if t.Name != "" {
		return t
	}
	t.Name, t.Kind, t.Owner = a.Name, config.Kind(a.Kind), a.Owner
	if !config.ValidName(t.Name) {
		t.Name = t.Secret.Name
	}
	if !v.Known(t.Kind) {
		t.Kind = KindUnknown
	}
	t.Interval.Duration, t.Soak.Duration = a.Interval, a.Soak
	return t
}

// each calls f with every number below n, several at once.
func each(n int, f func(int)) {
	var all sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for i := range n {
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			f(i)
		})
	}
	all.Wait()
}
