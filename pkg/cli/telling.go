package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/notify"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/wiring"
)

// tellTime is how long telling one of them may take.
const tellTime = 10 * time.Second

// story is what a run is told about as it goes.
type story struct {
	o       *wiring.Opened
	began   time.Time
	applied bool // something was done in this run
	leg     rotation.Event
	report  map[string]string // of an answer to a leak: what its steps have come to
	begun   bool              // the decision is recorded
	telling sync.WaitGroup
}

// telling has others told of a run that front shows, at its beginning and, by ended, at its end.
func (g *global) telling(ctx context.Context, o *wiring.Opened, front frontend) (_ frontend, ended func(rotation.Result, error)) {
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
		What: what, Time: s.o.Now(), Began: s.began, Target: s.o.Target, Namespace: s.o.Namespace, Secret: s.o.Config.Secret.Name,
		Context: s.o.Clients.Context, By: s.o.Operator, From: s.leg.From, To: s.leg.To, Attempt: s.leg.Attempt, Back: s.leg.Back,
		Compromised: s.leg.Compromised,
	}
	if g := s.o.Config.Grafana; g != nil {
		m.Dashboard = g.Dashboard
	}
	return m
}

// tell tells everybody, and notes who could not be told.
func (s *story) tell(ctx context.Context, m notify.Message) {
	for _, t := range s.o.Tellers {
		m := m
		if !s.o.Config.Tells(t.As) {
			m.Note = rotation.WithoutSaid(m.Note)
		}
		s.telling.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, tellTime)
			defer cancel()
			if err := t.Tell(ctx, m); err != nil {
				s.o.Note(fmt.Sprintf("%s could not be told that it has %s: %v; the rotation goes on without", t.Name, m.What, err))
			}
		})
	}
}
