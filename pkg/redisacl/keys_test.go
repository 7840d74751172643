package redisacl

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Sessions go by their pattern, on the primary, from where replicas follow; a denylist and everything else stays.
func TestKeysGoByPattern(t *testing.T) {
	a := newApp(t, 2, redistest.Config{ACLFile: true})
	primary := a.nodes[0]
	for i := range 1200 {
		primary.Do(t, "SET", fmt.Sprintf("session:%d", i), "x")
	}
	primary.Do(t, "SET", "denylist:1", "x")
	primary.Do(t, "SET", "alone", "x")
	k := Keys{Server: a.server, Patterns: []string{"session:*"}}
	lines, err := k.Look(context.Background())
	a.must("look", err)
	if text := strings.Join(lines, "\n"); !strings.Contains(text, "UNLINK session:*: 1200 keys go") {
		t.Errorf("the look says: %s", text)
	}
	what, err := k.End(context.Background())
	a.must("end", err)
	if what != "UNLINK session:*: 1200 keys removed" {
		t.Errorf("it says: %s", what)
	}
	if n := primary.Do(t, "DBSIZE"); fmt.Sprint(n) != "2" {
		t.Errorf("%v keys are left, want 2", n)
	}
	within(t, "the replica follows", func() bool { return fmt.Sprint(a.nodes[1].Do(t, "DBSIZE")) == "2" })
	if what, err := k.End(context.Background()); err != nil || what != "UNLINK session:*: 0 keys removed" {
		t.Errorf("again: %s, %v", what, err)
	}
}

// FLUSHDB takes everything of one database, which is shown first by what the keys begin with, and nothing of another.
func TestFlushShowsWhatItTakes(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	for _, key := range []string{"session:1", "session:2", "denylist:secret-token", "alone"} {
		a.nodes[0].Do(t, "SET", key, "x")
	}
	k := Keys{Server: a.server, Flush: true}
	lines, err := k.Look(context.Background())
	a.must("look", err)
	text := strings.Join(lines, "\n")
	for _, want := range []string{"FLUSHDB of database 0: 4 keys go", "2 keys session:*", "1 keys denylist:*", "1 keys without a prefix"} {
		if !strings.Contains(text, want) {
			t.Errorf("no word of %q: %s", want, text)
		}
	}
	if strings.Contains(text, "secret-token") {
		t.Errorf("whole names are shown: %s", text)
	}
	other := Keys{Server: a.server, Database: 1, Flush: true}
	_, err = other.End(context.Background())
	a.must("flushing another database", err)
	if n := a.nodes[0].Do(t, "DBSIZE"); fmt.Sprint(n) != "4" {
		t.Errorf("%v keys are left, want 4", n)
	}
	_, err = k.End(context.Background())
	a.must("end", err)
	if n := a.nodes[0].Do(t, "DBSIZE"); fmt.Sprint(n) != "0" {
		t.Errorf("%v keys are left", n)
	}
}

// An administrator with no more than a rotation takes is told what else ending sessions takes, and with that it does.
func TestRightsToEndSessionsAreNamed(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	a.nodes[0].Do(t, "SET", "session:1", "x")
	a.nodes[0].Do(t, append([]any{"ACL", "SETUSER", "rotator", "on", ">secret", "-@all"}, anys(rights)...)...)
	a.server.Admin = Admin{User: "rotator", Passwords: []rotation.Secret{rotation.NewSecret([]byte("secret"))}}
	k := Keys{Server: a.server, Patterns: []string{"session:*"}}
	_, err := k.End(context.Background())
	if err == nil || rotation.Hint(err) != "ACL SETUSER rotator +scan +unlink ~session:*" {
		t.Fatalf("without them: %v (hint %q)", err, rotation.Hint(err))
	}
	a.nodes[0].Do(t, "ACL", "SETUSER", "rotator", "+scan", "+unlink", "~session:*")
	if what, err := k.End(context.Background()); err != nil || what != "UNLINK session:*: 1 keys removed" {
		t.Errorf("with them: %s, %v", what, err)
	}
}

// A server that has more keys than can be gone through in one call is gone through by several: each goes on where the one before has stopped,
// and all sessions end.
func TestSessionsOfALargeServerAllEnd(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true, Settings: []string{"enable-debug-command yes"}})
	const sessions = 2000
	a.nodes[0].Do(t, "DEBUG", "POPULATE", 200_000, "other", 1)
	a.nodes[0].Do(t, "DEBUG", "POPULATE", sessions, "session", 1)
	k := Keys{Server: a.server, Patterns: []string{"session:*"}, Progress: &Progress{}}
	a.server.Timeout = 30 * time.Millisecond // half of which a call goes on
	calls := 0
	what, err := k.End(context.Background())
	for ; errors.Is(err, rotation.ErrNotYet) || errors.Is(err, rotation.ErrUnavailable); calls++ {
		if calls == 5000 {
			t.Fatalf("no end after %d calls: %v", calls, err)
		}
		what, err = k.End(context.Background())
	}
	a.must("end", err)
	if calls == 0 {
		t.Fatal("one call was enough: nothing is proven")
	}
	if what != fmt.Sprintf("UNLINK session:*: %d keys removed", sessions) {
		t.Errorf("it says: %s", what)
	}
	if n := a.nodes[0].Do(t, "DBSIZE"); fmt.Sprint(n) != "200000" {
		t.Errorf("%v keys are left", n)
	}
	a.server.Timeout = 0
	if lines, err := k.Look(context.Background()); err != nil || !strings.Contains(lines[0], ": 0 keys go") {
		t.Errorf("the look says %q (%v)", lines, err)
	}
}
