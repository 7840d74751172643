package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/notify"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// tellTime is how long telling one of them may take.
const tellTime = 10 * time.Second

// teller tells others what becomes of a run. It never keeps the run waiting: each is told beside it.
type teller struct {
	name string
	as   string // in podOutput of the target
	tell func(context.Context, notify.Message) error
}

// tellers are all who are told of a target's rotations: the events of its Secret, webhooks, Grafana.
func tellers(in opening) []teller {
	events := notify.Events{Client: in.clients.Kube.CoreV1(), Namespace: in.namespace, Secret: in.target.Secret.Name}
	all := []teller{{"events", config.OutputEvents, func(ctx context.Context, m notify.Message) error {
		err := events.Tell(ctx, m)
		if apierrors.IsForbidden(err) {
			return fmt.Errorf("that takes the permission to create events in namespace %s", in.namespace)
		}
		return err
	}}}
	for _, n := range in.target.Notify {
		all = append(all, teller{n.Form, config.OutputNotify, func(ctx context.Context, m notify.Message) error {
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
		all = append(all, teller{"grafana", config.OutputGrafana, func(ctx context.Context, m notify.Message) error {
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
func (o *opened) notified(ctx context.Context, in opening) rotation.Item {
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
		o.note(p + "; the rotation goes on without")
	}
	return item
}

// story is what a run is told about as it goes.
type story struct {
	o       *opened
	began   time.Time
	applied bool // something was done in this run
	leg     rotation.Event
	report  map[string]string // of an answer to a leak: what its steps have come to
	begun   bool              // the decision is recorded
	telling sync.WaitGroup
}

// telling has others told of a run that front shows, at its beginning and, by ended, at its end.
func (g *global) telling(ctx context.Context, o *opened, front frontend) (_ frontend, ended func(rotation.Result, error)) {
	s := &story{o: o, began: o.Now(), report: map[string]string{}}
	shown := front
	front.emit = func(e rotation.Event) {
		shown.emit(e)
		s.follow(ctx, e)
	}
	return front, func(r rotation.Result, err error) {
		s.end(context.WithoutCancel(ctx), r, err)
		s.telling.Wait()
	}
}

// follow tells of a beginning: a decision that this run has recorded itself.
func (s *story) follow(ctx context.Context, e rotation.Event) {
	recorded := e.Started && !s.leg.Started && s.leg.State == rotation.Applying
	s.begun = s.begun || e.Started
	s.applied = s.applied || e.State == rotation.Applying
	if e.Compromised && e.State == rotation.Done {
		s.report[e.Step] = e.Note
	}
	s.leg = e
	if recorded {
		s.tell(context.WithoutCancel(ctx), s.message(notify.Begun))
	}
}

// end tells how a run has ended, if it has: one that waits, or that somebody has left, has not.
func (s *story) end(ctx context.Context, r rotation.Result, err error) {
	var back *rotation.AbortedError
	m := s.message(notify.Finished)
	switch {
	case !s.begun || !s.applied && err == nil || err == nil && r.Outcome != rotation.Finished:
		return
	case errors.As(err, &back) && back.Back == nil:
		m.What, m.Note = notify.Aborted, back.Cause.Error()
	case err != nil && left(ctx, err):
		return
	case err != nil:
		m.What, m.Note, m.Next = notify.Failed, err.Error(), command(s.o, r.Intent)
	case r.Intent.Back:
		m.What = notify.Aborted
	default:
		m.Note = s.reported()
	}
	s.tell(ctx, m)
}

// reported is how the answer to a leak went: how long it took until nobody accepted what had leaked, what was ended then, and what it
// has cost.
func (s *story) reported() string {
	var all []string
	for _, step := range []string{rotation.StepRollout, rotation.StepSessions, rotation.StepRetire} {
		if note := s.report[step]; note != "" {
			all = append(all, note)
		}
	}
	return strings.Join(all, "; ")
}

func (s *story) message(what notify.What) notify.Message {
	m := notify.Message{
		What: what, Time: s.o.Now(), Began: s.began, Target: s.o.Target, Namespace: s.o.namespace, Secret: s.o.target.Secret.Name,
		Context: s.o.clients.Context, By: s.o.who, From: s.leg.From, To: s.leg.To, Attempt: s.leg.Attempt, Back: s.leg.Back,
		Compromised: s.leg.Compromised,
	}
	if g := s.o.target.Grafana; g != nil {
		m.Dashboard = g.Dashboard
	}
	return m
}

// tell tells everybody, and notes who could not be told.
func (s *story) tell(ctx context.Context, m notify.Message) {
	for _, t := range s.o.tellers {
		m := m
		if !s.o.target.Tells(t.as) {
			m.Note = rotation.WithoutSaid(m.Note)
		}
		s.telling.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, tellTime)
			defer cancel()
			if err := t.tell(ctx, m); err != nil {
				s.o.note(fmt.Sprintf("%s could not be told that it has %s: %v; the rotation goes on without", t.name, m.What, err))
			}
		})
	}
}
