package wiring

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/notify"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Teller tells others what becomes of a run. It never keeps the run waiting: each is told beside it.
type Teller struct {
	Name string
	As   string // in podOutput of the target
	Tell func(context.Context, notify.Message) error
}

// tellers are all who are told of a target's rotations: the events of its Secret, webhooks, Grafana.
func tellers(in opening) []Teller {
	events := notify.Events{Client: in.clients.Kube.CoreV1(), Namespace: in.namespace, Secret: in.target.Secret.Name}
	all := []Teller{{"events", config.OutputEvents, func(ctx context.Context, m notify.Message) error {
		err := events.Tell(ctx, m)
		if apierrors.IsForbidden(err) {
			return fmt.Errorf("that takes the permission to create events in namespace %s", in.namespace)
		}
		return err
	}}}
	for _, n := range in.target.Notify {
		all = append(all, Teller{n.Form, config.OutputNotify, func(ctx context.Context, m notify.Message) error {
			key, err := secretKey(ctx, in, n.Secret)
			if err != nil {
				return err
			}
			switch n.Form {
			case config.FormSlack:
				return notify.Slack{URL: key}.Tell(ctx, m)
			case config.FormPagerDuty:
				return notify.PagerDuty{URL: n.URL, Key: key}.Tell(ctx, m)
			}
			return notify.JSON{URL: key}.Tell(ctx, m)
		}})
	}
	if g := in.target.Grafana; g != nil {
		all = append(all, Teller{"grafana", config.OutputGrafana, func(ctx context.Context, m notify.Message) error {
			if m.What == notify.Begun {
				return nil
			}
			token, err := secretKey(ctx, in, g.Token)
			if err != nil {
				return err
			}
			return notify.Grafana{URL: g.URL, Token: token}.Tell(ctx, m)
		}})
	}
	return all
}

// notified is the line of the checklist that says who will be told.
func (o *Opened) notified(ctx context.Context, in opening) rotation.Item {
	item := rotation.Item{Name: "notify", Phase: rotation.Done}
	var names, problems []string
	for _, n := range in.target.Notify {
		if _, err := secretKey(ctx, in, n.Secret); err != nil {
			problems = append(problems, fmt.Sprintf("%s cannot be told: %v", n.Form, err))
			continue
		}
		names = append(names, n.Form)
	}
	item.Note = strings.Join(append(names, problems...), "; ")
	for _, p := range problems {
		o.Note(p + "; the rotation goes on without")
	}
	return item
}
