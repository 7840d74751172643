package wiring

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/kubesecret"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/secretdata"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/workload"
)

// looks are what the preflight of a login looks at.
type looks struct {
	store     *kubesecret.Store
	consumers workload.Across
	current   rotation.Credential
	renames   bool // the login's name changes with its password
	// server is what the server itself looks at before current is left: notes, and what the operator has to agree to.
	server func(ctx context.Context, current rotation.Credential) (notes []string, asks []rotation.Item, err error)
}

// preflight is all that is looked at before the rotation of a login begins, whatever accepts it. What keeps others from being
// locked out goes to Protect, which is inspected when a rotation goes on too.
func (o *Opened) preflight(in opening, l looks) []func(context.Context, rotation.Record) ([]rotation.Item, error) {
	o.Protect = append(o.Protect, func(ctx context.Context, rec rotation.Record) ([]rotation.Item, error) {
		return o.noted(func(ctx context.Context) ([]string, error) { return elsewhere(ctx, in, l, leaving(rec)) })(ctx, rec)
	})
	return []func(context.Context, rotation.Record) ([]rotation.Item, error){
		o.noted(func(ctx context.Context) ([]string, error) { return written(ctx, in, l.renames) }),
		o.noted(l.store.Preflight),
		o.asked(l.consumers.Preflight),
		o.asked(func(ctx context.Context) ([]string, []rotation.Item, error) {
			return outlasting(ctx, l.consumers, o.Soak, in.clients.Now())
		}),
		o.asked(func(ctx context.Context) ([]string, []rotation.Item, error) {
			return beside(ctx, l.consumers, in.server.Container)
		}),
		shown("reachability", "the server answers its administrator", o.atServer(l)),
	}
}

// urgently is what is looked at before a login that has leaked is replaced: whether its Secret can be written, and what the server cannot do
// without. Where else the login stands is noted by what Protect looks at.
func (o *Opened) urgently(in opening, l looks) []look {
	return []look{
		o.noted(func(ctx context.Context) ([]string, error) { return written(ctx, in, l.renames) }),
		o.noted(l.store.Preflight),
		shown("reachability", "the server answers its administrator", o.atServer(l)),
	}
}

// atServer is the server's own preflight. The version that comes next is numbered on from all that there ever were.
func (o *Opened) atServer(l looks) look {
	return func(ctx context.Context, rec rotation.Record) ([]rotation.Item, error) {
		current := l.current
		current.V = max(rec.High, rec.Active())
		return o.asked(func(ctx context.Context) ([]string, []rotation.Item, error) { return l.server(ctx, current) })(ctx, rec)
	}
}

// noted is a preflight whose notes are told to the operator.
func (o *Opened) noted(look func(context.Context) ([]string, error)) func(context.Context, rotation.Record) ([]rotation.Item, error) {
	return o.asked(func(ctx context.Context) ([]string, []rotation.Item, error) {
		notes, err := look(ctx)
		return notes, nil, err
	})
}

// asked is a preflight with notes, and with items that the operator has to agree to: those are told too, for whoever
// agrees by a flag.
func (o *Opened) asked(look func(context.Context) ([]string, []rotation.Item, error)) func(context.Context, rotation.Record) ([]rotation.Item, error) {
	return func(ctx context.Context, _ rotation.Record) ([]rotation.Item, error) {
		notes, asks, err := look(ctx)
		for _, ask := range asks {
			notes = append(notes, ask.Name+": "+ask.Note)
		}
		for _, note := range notes {
			o.Note(note)
		}
		return asks, err
	}
}

// written refuses a Secret with a copy of the credential that could not be changed with it, and, where the login is to
// change, one that does not say it.
func written(ctx context.Context, in opening, renames bool) (notes []string, err error) {
	for _, s := range secretsOf(in) {
		found, err := in.clients.Kube.CoreV1().Secrets(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
		if err != nil {
			return nil, err
		}
		l := layout(in.target.Kind, s).For(found.Data)
		if err := l.Check(found.Data); err != nil {
			return nil, rotation.Refuse(fmt.Errorf("secret %s/%s: %w", s.Namespace, s.Name, err))
		}
		if err := l.CheckLogin(found.Data); err != nil && renames {
			return nil, rotation.Refuse(rotation.WithHint(fmt.Errorf("secret %s/%s: %w", s.Namespace, s.Name, err),
				"keep the login in the Secret too, and say its key in the configuration (username); or change the password alone, with a gap: postgres.strategy: same-user"))
		}
		for _, remark := range l.Remarks(found.Data) {
			notes = append(notes, fmt.Sprintf("secret %s/%s: %s", s.Namespace, s.Name, remark))
		}
	}
	return notes, nil
}

// beside are the containers beside the server itself that are handed the Secret: the server's own workload is never
// rolled, so they stay on the old login.
func beside(ctx context.Context, consumers workload.Across, server string) (notes []string, asks []rotation.Item, err error) {
	for _, c := range consumers {
		kept, err := c.Kept(ctx)
		if err != nil {
			return nil, nil, err
		}
		for _, k := range kept {
			for _, name := range k.Containers {
				if name != server {
					asks = append(asks, rotation.Item{Name: k.Name, Note: fmt.Sprintf(
						"its container %s reads the Secret beside the server, which is not rolled: it keeps the old login until you restart it", name)})
				}
			}
		}
	}
	return nil, asks, nil
}

// leaving are the credentials that a run of rec's intent leads away from, those with a value. The one in use may not be on
// record yet.
func leaving(rec rotation.Record) []rotation.Credential {
	all := slices.DeleteFunc(rec.Others(), func(c rotation.Credential) bool { return c.Value.Empty() })
	if rec.Current.V == 0 {
		all = append(all, rec.Current)
	}
	return all
}

// elsewhere refuses where a login that is to go stands in a place that the rotation would not change: in another Secret of
// the namespace, as far as those may be listed, in a variable or a ConfigMap of a consumer. What the configuration says to
// ignore is left out. In an emergency that is told, and refuses nothing.
func elsewhere(ctx context.Context, in opening, l looks, leaving []rotation.Credential) (notes []string, err error) {
	found, notes, err := inSecrets(ctx, in, l, leaving)
	if err == nil && l.renames { // else what names the login stays right
		var more []string
		var named []error
		named, more, err = inSettings(ctx, in, l, leaving)
		found, notes = append(found, named...), append(notes, more...)
	}
	switch {
	case err != nil && in.leaked:
		return append(notes, fmt.Sprintf("whether the login is used elsewhere is not known: %v", err)), nil
	case err != nil || len(found) == 0:
		return notes, err
	case !in.leaked:
		return notes, rotation.Refuse(found[0])
	}
	for _, f := range found {
		notes = append(notes, f.Error())
	}
	return notes, nil
}

// inSecrets are the other Secrets that hold one of the credentials.
func inSecrets(ctx context.Context, in opening, l looks, leaving []rotation.Credential) (found []error, notes []string, err error) {
	others, ok, err := l.store.Others(ctx)
	if err != nil {
		return nil, nil, err
	}
	if !ok {
		notes = append(notes, fmt.Sprintf("other Secrets with the same login were not looked for: that takes the permission to list secrets in namespace %s", in.namespace))
	}
	for _, s := range others {
		if err := ctx.Err(); err != nil {
			return nil, notes, err
		}
		name := "secret/" + s.Name
		for _, c := range leaving {
			at, keys := secretdata.Locate(s.Data, c)
			if len(keys) > 0 && !slices.Contains(in.target.Ignore, name) {
				found = append(found, rotation.WithHint(
					fmt.Errorf("secret %s/%s holds the password of %s too (%s), and would keep the old one", s.Namespace, s.Name, c.ID, strings.Join(keys, ", ")),
					fmt.Sprintf("add to the target: `also: [%s]`; if it has nothing to do with it: `ignore: [%s]`", flow(s.Name, at), name)))
			}
		}
	}
	return found, notes, nil
}

// inSettings are the variables and ConfigMaps of consumers that name one of the logins.
func inSettings(ctx context.Context, in opening, l looks, leaving []rotation.Credential) (found []error, notes []string, err error) {
	for _, one := range l.consumers {
		settings, more, err := one.Settings(ctx)
		if err != nil {
			return nil, notes, err
		}
		notes = append(notes, more...)
		for _, s := range settings {
			for _, c := range leaving {
				if secretdata.Names(s.Value, c.ID) && !slices.Contains(in.target.Ignore, s.Name) {
					found = append(found, rotation.WithHint(
						fmt.Errorf("%s of %s names the login %s, which changes: it would not change with it", s.Source, reader(s), c.ID),
						fmt.Sprintf("have it read the login from the Secret (secretKeyRef); if it is something else, add to the target: `ignore: [%s]`", s.Name)))
				}
			}
		}
	}
	return found, notes, nil
}

// flow is a Secret of the given layout as a line of the configuration.
func flow(name string, l secretdata.Layout) string {
	text := "{name: " + name
	for _, field := range []struct{ name, key string }{{"username", l.Username}, {"password", l.Password}, {"dsn", l.DSN}} {
		if field.key != "" {
			text += fmt.Sprintf(", %s: %s", field.name, field.key)
		}
	}
	return text + "}"
}

// reader is who is given a setting: "deployment/backend, container app".
func reader(s workload.Setting) string {
	if s.Container == "" {
		return s.Workload
	}
	return s.Workload + ", container " + s.Container
}

// growth is how many times as many pods autoscalers may make of the consumers as there are.
func growth(ctx context.Context, consumers workload.Across) (times float64, notes []string, err error) {
	now, most := 0, 0
	for _, c := range consumers {
		n, m, ok, err := c.Growth(ctx)
		if err != nil {
			return 0, nil, err
		}
		if !ok {
			notes = append(notes, fmt.Sprintf("whether there are connections enough once autoscalers make more pods was not looked at: that takes the permission to list horizontalpodautoscalers in namespace %s", c.Namespace))
		}
		now, most = now+n, most+m
	}
	return float64(most) / float64(max(now, 1)), notes, nil
}

// outlasting asks about CronJobs whose next run comes only after the old login is gone: should it fail then, there is
// nothing to go back to.
func outlasting(ctx context.Context, consumers workload.Across, soak time.Duration, now time.Time) (notes []string, asks []rotation.Item, err error) {
	runs, err := consumers.Runs(ctx)
	for _, r := range runs {
		switch left := r.Next.Sub(now); {
		case r.Next.IsZero():
			asks = append(asks, rotation.Item{Name: r.Name, Note: "nothing says when it runs next: whether it can use the new login is not seen before the old one is erased"})
		case left > soak:
			asks = append(asks, rotation.Item{Name: r.Name, Note: fmt.Sprintf(
				"it runs next at %s UTC, and the old login is erased after a soak of %v: --soak=%v outlasts that run",
				r.Next.UTC().Format(time.DateTime), soak, left.Truncate(time.Minute)+10*time.Minute)})
		}
	}
	return nil, asks, err
}
