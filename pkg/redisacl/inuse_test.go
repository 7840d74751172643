package redisacl

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A client that waits for messages says nothing for hours, and counts.
func TestSubscriptionOnAnyNodeIsASession(t *testing.T) {
	a := newApp(t, 2, redistest.Config{ACLFile: true})
	ctx := context.Background()
	client := a.nodes[1].Client(a.current.ID, string(a.current.Value.Reveal()))
	defer client.Close()
	messages := client.Subscribe(ctx, "config:backend")
	defer messages.Close()
	if _, err := messages.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	use, err := a.server.InUse(ctx, a.current)
	a.must("in use", err)
	if !use.Known || len(use.Sessions) != 1 {
		t.Fatalf("%+v, want one session", use)
	}
	s := use.Sessions[0]
	if s.Node != "redis-1" || s.Address != "127.0.0.1" || s.App != "subscribed" || time.Since(s.Since) > 5*time.Second || time.Since(s.Since) < -time.Second {
		t.Errorf("the session is %+v", s)
	}
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	if _, err := messages.ReceiveTimeout(ctx, 5*time.Second); err == nil {
		t.Error("the subscription outlived the revocation")
	}
}

func TestThoseWhoWereRefusedAreNamed(t *testing.T) {
	a := newApp(t, 2, redistest.Config{ACLFile: true})
	ctx := context.Background()
	a.next()
	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	since := time.Now().Add(-time.Second)
	for range 2 {
		if _, err := a.open(a.nodes[1], a.current); err == nil {
			t.Fatal("it was let in")
		}
	}
	of := []rotation.Credential{a.current}
	all, err := a.server.Refused(ctx, since, of)
	a.must("refused", err)
	if len(all) != 1 || all[0].ID != "backend" || all[0].Address != "127.0.0.1" || all[0].Last.Before(since) || all[0].Count < 2 {
		t.Errorf("refused: %+v, want two tries of one client", all)
	}
	if later, err := a.server.Refused(ctx, time.Now().Add(time.Minute), of); err != nil || len(later) != 0 {
		t.Errorf("refused later: %+v, %v", later, err)
	}
}

// A log that is turned off, or that others have filled since, does not say that nobody was refused. Ages count from now by the clock of who
// asks, whatever the node's own says.
func TestRefusalsThatMayBeLostAreNotNone(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	ctx := context.Background()
	of := []rotation.Credential{a.current}
	wrong := a.current
	wrong.Value = rotation.NewSecret([]byte("wrong"))
	ahead := func() time.Time { return time.Now().Add(time.Hour) }
	a.server.Now = ahead
	since := ahead()
	if _, err := a.open(a.nodes[0], wrong); err == nil {
		t.Fatal("it was let in")
	}
	if all, err := a.server.Refused(ctx, since, of); err != nil || len(all) != 1 || all[0].Last.Before(since.Add(-time.Second)) {
		t.Errorf("by another clock: %+v, %v", all, err)
	}
	for _, length := range []string{"2", "0"} {
		a.nodes[0].Do(t, "CONFIG", "SET", "acllog-max-len", length)
		for _, name := range []string{"a", "b", "c"} {
			stranger := wrong
			stranger.ID = name
			_, _ = a.open(a.nodes[0], stranger)
		}
		if all, err := a.server.Refused(ctx, since, of); err == nil || !strings.Contains(err.Error(), "some may be lost") {
			t.Errorf("with room for %s: %+v, %v", length, all, err)
		}
	}
	if all, err := a.server.Refused(ctx, ahead().Add(time.Hour), of); len(all) > 0 || err == nil {
		t.Errorf("turned off: %+v, %v", all, err)
	}
}

// Erasing a user ends his connections without a word, so that none may be open.
func TestUserWithAConnectionIsNotErased(t *testing.T) {
	a := newApp(t, 2, redistest.Config{ACLFile: true})
	conn := a.opened(a.nodes[1], a.current)
	err := a.server.Erase(context.Background(), pass, a.current)
	if err == nil || !strings.Contains(err.Error(), "at redis-1: 1 connections of it are open") {
		t.Errorf("erase: %v", err)
	}
	a.must("ping", conn.Ping(context.Background()).Err())
	a.stands(a.current, rotation.Accepts, "")
}
