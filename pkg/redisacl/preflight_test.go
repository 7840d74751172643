package redisacl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// refuses wants a preflight to be refused for a reason, with a hint.
func (a *app) refuses(reason, hint string) {
	a.t.Helper()
	_, _, err := a.preflight()
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), reason) || !strings.Contains(rotation.Hint(err), hint) {
		a.t.Errorf("preflight: %v (hint: %q), want a refusal with %q and the hint %q", err, rotation.Hint(err), reason, hint)
	}
}

func (a *app) preflight() ([]string, []rotation.Item, error) {
	type preflighter interface {
		Preflight(context.Context, rotation.Credential) ([]string, []rotation.Item, error)
	}
	return a.as.(preflighter).Preflight(context.Background(), a.current)
}

func TestOrdinaryServerPassesThePreflight(t *testing.T) {
	a := newApp(t, 2, redistest.Config{ACLFile: true})
	notes, asks, err := a.preflight()
	if err != nil || len(notes)+len(asks) > 0 {
		t.Errorf("notes %q, asks %+v, error %v", notes, asks, err)
	}
}

func TestPreflightRefusesWhatCouldNotBeFinished(t *testing.T) {
	for _, c := range []struct {
		name         string
		change       func(*testing.T, *app)
		reason, hint string
	}{
		{"any password is let in", func(t *testing.T, a *app) { a.nodes[0].Do(t, "ACL", "SETUSER", "backend", "nopass") }, "nopass", "resetpass"},
		{"the user is off", func(t *testing.T, a *app) { a.nodes[0].Do(t, "ACL", "SETUSER", "backend", "off") }, "is off", "which user"},
		{"the password is another", func(_ *testing.T, a *app) { a.current.Value = rotation.NewSecret([]byte("other")) }, "does not accept the Secret's password", "into the Secret"},
		{"a node lacks the user", func(t *testing.T, a *app) { a.nodes[1].Do(t, "ACL", "DELUSER", "backend") }, `redis-1 has no user "backend"`, "not replicated"},
		{"nodes do not agree", func(t *testing.T, a *app) { a.nodes[1].Do(t, "ACL", "SETUSER", "backend", "+del") }, "another at redis-1", "the same on every node"},
		{"it is the administrator", func(_ *testing.T, a *app) { a.onDefault(); a.as = a.server }, "default cannot be left behind", "no key for the user name"},
		{"a node is away", func(t *testing.T, a *app) { a.must("kill", a.nodes[1].Kill()) }, "redis-1", "check that the server runs"},
		{"replication uses it", func(t *testing.T, a *app) { a.nodes[1].Do(t, "CONFIG", "SET", "masteruser", "backend") }, "masteruser", "a user of its own"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, 2, redistest.Config{ACLFile: true})
			c.change(t, a)
			a.refuses(c.reason, c.hint)
		})
	}
}

// What is lost at a restart is said before anything changes, and wants a consent of its own.
func TestUsersThatAreLostAtARestartAreAskedFor(t *testing.T) {
	for _, c := range []struct {
		name   string
		config redistest.Config
		lost   string
		reason string
	}{
		{"neither file", redistest.Config{Volatile: true}, "", "neither an ACL file nor a configuration file"},
		{"a file on a volume that goes", redistest.Config{ACLFile: true}, "the volume is an emptyDir", "an emptyDir"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, 1, c.config)
			a.lost = c.lost
			_, asks, err := a.preflight()
			a.must("preflight", err)
			if len(asks) != 1 || asks[0].Consent != ConsentVolatile || !strings.Contains(asks[0].Note, c.reason) {
				t.Errorf("it asks for %+v", asks)
			}
		})
	}
}

// With neither file, what the tool did is gone after a restart, and the next look says so.
func TestVolatileUsersAreGoneAfterARestart(t *testing.T) {
	a := newApp(t, 1, redistest.Config{Volatile: true})
	c := a.next()
	a.nodes[0].Restart(t)
	a.stands(c, rotation.Absent, "")
	a.must("install again", a.server.Install(context.Background(), pass, c))
	a.stands(c, rotation.Accepts, "")
}

// A Sentinel does not read the application's Secret: it is asked about. A client may call itself one, and keeps no rotation from beginning.
func TestSentinelThatComesInAsTheUserIsAskedAbout(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	a.nodes[0].Do(t, "ACL", "SETUSER", "backend", "~*", "&*", "+@all")
	redistest.For(t, redistest.Config{Sentinel: true, Settings: []string{
		fmt.Sprintf("sentinel monitor main 127.0.0.1 %d 1", a.nodes[0].Port),
		"sentinel auth-user main backend", fmt.Sprintf("sentinel auth-pass main %q", a.current.Value.Reveal()),
	}})
	within(t, "the Sentinel's connection", func() bool {
		use, err := a.server.InUse(context.Background(), a.current)
		return err == nil && slices.ContainsFunc(use.Sessions, func(s rotation.Session) bool { return strings.HasPrefix(s.App, "sentinel-") })
	})
	_, asks, err := a.preflight()
	a.must("preflight", err)
	if len(asks) == 0 || !strings.Contains(asks[0].Note, "looks like a Sentinel") || asks[0].Consent != "" {
		t.Errorf("it asks for %+v", asks)
	}
}

// A Sentinel with a user of its own fails over to a replica that knows the next user.
func TestSentinelFailsOverInMidRotation(t *testing.T) {
	a := newApp(t, 2, redistest.Config{ACLFile: true, Users: []string{"user sentinel on #" + redistest.Hash("watches") + " allchannels +@all"}})
	c := a.next()
	sentinel := redistest.For(t, redistest.Config{Sentinel: true, Settings: []string{
		fmt.Sprintf("sentinel monitor main 127.0.0.1 %d 1", a.nodes[0].Port), "sentinel down-after-milliseconds main 500",
		"sentinel failover-timeout main 5000", "sentinel auth-user main sentinel", "sentinel auth-pass main watches",
	}})
	within(t, "the Sentinel to know the replica", func() bool {
		list, _ := sentinel.Do(t, "SENTINEL", "REPLICAS", "main").([]any)
		return len(list) == 1
	})
	a.must("kill", a.nodes[0].Kill())
	within(t, "the failover", func() bool {
		admin := a.nodes[1].Client(Default, a.nodes[1].Password)
		defer admin.Close()
		role, _ := admin.Info(context.Background(), "replication").Result() // connections are reset when the role changes
		return strings.Contains(role, "role:master")
	})
	a.opened(a.nodes[1], c)
	a.must("resume", a.nodes[0].Resume())
	a.stands(c, rotation.Accepts, "")
	a.must("revoke", a.server.Revoke(context.Background(), pass, a.current))
	a.stands(a.current, rotation.Quarantined, "")
}

// The administrator may be somebody with no more than is needed, and is told what is missing.
func TestRightsThatTheAdministratorLacksAreNamed(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	a.nodes[0].Do(t, append([]any{"ACL", "SETUSER", "rotator", "on", ">secret", "-@all"}, anys(rights)...)...)
	a.server.Admin = Admin{User: "rotator", Passwords: []rotation.Secret{rotation.NewSecret([]byte("secret"))}}
	if _, _, err := a.preflight(); err != nil {
		t.Fatalf("with just what is named: %v (%s)", err, rotation.Hint(err))
	}
	c := a.next()
	a.must("revoke", a.server.Revoke(context.Background(), pass, a.current))
	a.must("erase", a.server.Erase(context.Background(), pass, a.current))
	a.current = c
	for _, right := range rights {
		if right == "+time" || right == "+cluster|nodes" {
			continue
		}
		a.nodes[0].Do(t, "ACL", "SETUSER", "rotator", "-"+right[1:])
		a.must("close", a.server.Close())
		_, _, err := a.preflight()
		if needs := right != "+config|rewrite"; needs != (err != nil) || err != nil && !strings.Contains(rotation.Hint(err), "ACL SETUSER rotator +acl") {
			t.Errorf("without %s: %v (hint %q)", right, err, rotation.Hint(err))
		}
		a.nodes[0].Do(t, "ACL", "SETUSER", "rotator", right)
	}
}
