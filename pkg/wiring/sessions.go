package wiring

import (
	"context"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/kube"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// sessions are what was opened with a signing key, in a Redis server. It is gone to when it is needed and not before: nothing
// of it may keep a leaked key from being replaced.
type sessions struct {
	in    opening
	flush bool
	say   func(format string, args ...any)
	// progress is how far a call has come that was cut off.
	progress redisacl.Progress
}

var _ rotation.Aftermath = (*sessions)(nil)

// with opens the server for one call.
func (s *sessions) with(ctx context.Context, do func(redisacl.Keys) error) error {
	pods, err := serverPods(ctx, s.in)
	if err != nil {
		return err
	}
	in := settled(s.in, pods)
	admin, err := redisAdmin(ctx, in, rotation.Record{})
	if err != nil {
		return err
	}
	c := in.target.JWT.Sessions
	secured, err := redisTLS(ctx, in, c.Redis)
	if err != nil {
		return err
	}
	server := &redisacl.Server{
		Nodes: stores{in, pods, in.clients.Owners()}.nodes, Admin: admin, TLS: secured, Leaked: true,
		Note: func(text string) { s.say("note: %s", text) },
	}
	defer server.Close()
	return do(redisacl.Keys{Server: server, Database: c.Database, Patterns: c.Patterns, Flush: s.flush, Progress: &s.progress})
}

// Look says how many keys would go.
func (s *sessions) Look(ctx context.Context) (lines []string, err error) {
	err = s.with(ctx, func(k redisacl.Keys) error {
		lines, err = k.Look(ctx)
		return err
	})
	return lines, err
}

// End ends the sessions. What is asked to take everything with it is shown first.
func (s *sessions) End(ctx context.Context) (what string, err error) {
	err = s.with(ctx, func(k redisacl.Keys) error {
		if s.flush {
			lines, err := k.Look(ctx)
			if err != nil {
				return err
			}
			for _, line := range lines {
				s.say("%s", line)
			}
		}
		what, err = k.End(ctx)
		return err
	})
	return what, err
}

// Warning says what else goes.
func (s *sessions) Warning() string { return redisacl.Keys{Flush: s.flush}.Warning() }

// sessionRules adds to all what it takes to end sessions, where their server is.
func sessionRules(all map[string][]rbacv1.PolicyRule, t config.Target, via kube.Via, s *Scope) {
	there := serverKey(t)
	if there != "" {
		all[there] = append(all[there], podsRule, makersRule)
	}
	all[there] = append(all[there], wayRules(via, s.pods())...)
	all[""] = append(all[""], readServer(t.Server())...)
}
