package config

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Before is what is looked at before a rotation begins, beside what always is. An operator may begin without it; that is recorded.
type Before struct {
	// Backup has a rotation begin only when there is a backup that is young enough. Default: none is looked for.
	Backup *Backup `yaml:"backup,omitempty"`
	// Windows are when a rotation may begin, each as DAYS HH:MM-HH:MM ZONE: Sat 02:00-06:00 Europe/Berlin. Days may be left out, listed
	// with commas, or be a range as in Mon-Fri; a window that ends on the next day belongs to the day it begins on. Default: at any time.
	Windows []string `yaml:"windows,omitempty"`
}

// Backup is where to see that there is one. Without cronJob and snapshotsOf nothing can be seen: somebody has to say so.
type Backup struct {
	// CronJob makes the backups; what counts is its last run that succeeded.
	CronJob string `yaml:"cronJob,omitempty"`
	// SnapshotsOf is the PersistentVolumeClaim whose VolumeSnapshots are the backups; what counts is the newest that is ready to use.
	SnapshotsOf string `yaml:"snapshotsOf,omitempty"`
	// Namespace is where the CronJob or the snapshots are. Default: that of the target.
	Namespace string `yaml:"namespace,omitempty"`
	// MaxAge is how old the backup may be. Default: 24h.
	MaxAge Duration `yaml:"maxAge,omitempty"`
}

// Notify is where it is told that a rotation has begun, ended or failed. That it could not be told is shown, and stops nothing.
type Notify struct {
	// Form is what is sent: slack, pagerduty (an event of its version 2) or json. Required.
	Form string `yaml:"form"`
	// Secret is where the webhook's address is kept, or PagerDuty's routing key. Required.
	Secret KeyRef `yaml:"secret"`
	// URL is where PagerDuty takes events. Default: https://events.pagerduty.com/v2/enqueue.
	URL string `yaml:"url,omitempty"`
}

// Grafana is where a rotation leaves an annotation once it has ended.
type Grafana struct {
	// URL is Grafana's address as seen from where kubectl rotate runs. Required.
	URL string `yaml:"url"`
	// Token is where the token of a service account is kept. Required.
	Token KeyRef `yaml:"token"`
	// Dashboard is the address of a dashboard, shown to the operator and in what is told. Default: none.
	Dashboard string `yaml:"dashboard,omitempty"`
}

// The forms of what is told.
const (
	FormSlack     = "slack"
	FormPagerDuty = "pagerduty"
	FormJSON      = "json"
)

const pagerDuty = "https://events.pagerduty.com/v2/enqueue"

// Who can be told what pods have written, beside the operator.
const (
	OutputNotify  = "notify"
	OutputGrafana = "grafana"
	OutputEvents  = "events"
	OutputHistory = "history"
)

// Tells says whether one of those is told what pods have written.
func (t Target) Tells(whom string) bool { return slices.Contains(t.PodOutput, whom) }

// outputErrors wants what podOutput may list.
func outputErrors(listed []string, path *field.Path) (all field.ErrorList) {
	places := []string{OutputNotify, OutputGrafana, OutputEvents, OutputHistory}
	for i, name := range listed {
		if !slices.Contains(places, name) {
			all = append(all, field.NotSupported(path.Index(i), name, places))
		}
	}
	return all
}

// settle fills in what the file leaves out of the checklist's own items.
func (t Target) settle() Target {
	t.Gates = t.Gates.settle()
	t.Refused.settle()
	if b := t.Before.Backup; b != nil && b.MaxAge.Duration == 0 {
		b.MaxAge.Duration = 24 * time.Hour
	}
	for i := range t.Notify {
		if n := &t.Notify[i]; n.Form == FormPagerDuty && n.URL == "" {
			n.URL = pagerDuty
		}
	}
	return t
}

func (b Before) validate(path *field.Path) (all field.ErrorList) {
	if k := b.Backup; k != nil {
		at := path.Child("backup")
		if k.CronJob != "" && k.SnapshotsOf != "" {
			all = append(all, field.Forbidden(at.Child("snapshotsOf"), "the backups are those of the CronJob given as cronJob"))
		}
		all = append(all, optional(k.CronJob, at.Child("cronJob"), subdomain)...)
		all = append(all, optional(k.SnapshotsOf, at.Child("snapshotsOf"), subdomain)...)
		all = append(all, optional(k.Namespace, at.Child("namespace"), label)...)
	}
	for i, w := range b.Windows {
		if _, err := ParseWindow(w); err != nil {
			all = append(all, field.Invalid(path.Child("windows").Index(i), w, err.Error()))
		}
	}
	return all
}

func (n Notify) validate(path *field.Path) (all field.ErrorList) {
	switch n.Form {
	case FormPagerDuty:
		all = append(all, urlErrors(n.URL, path.Child("url"))...)
	case FormSlack, FormJSON:
		if n.URL != "" {
			all = append(all, field.Forbidden(path.Child("url"), "whoever has the address can write there: it is read from the secret"))
		}
	case "":
		all = append(all, field.Required(path.Child("form"), ""))
	default:
		all = append(all, field.NotSupported(path.Child("form"), n.Form, []string{FormSlack, FormPagerDuty, FormJSON}))
	}
	return append(all, n.Secret.validate(path.Child("secret"))...)
}

func (g *Grafana) validate(path *field.Path) (all field.ErrorList) {
	if g == nil {
		return nil
	}
	all = append(all, urlErrors(g.URL, path.Child("url"))...)
	if g.Dashboard != "" {
		all = append(all, urlErrors(g.Dashboard, path.Child("dashboard"))...)
	}
	return append(all, g.Token.validate(path.Child("token"))...)
}
