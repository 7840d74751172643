package redisacl

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// The administrator is the user default too, and comes in with whatever password that has by now.
func TestAdministratorWhosePasswordChanges(t *testing.T) {
	for name, sort := range sorts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, 1, sort)
			two := a.onDefault()
			ctx := context.Background()
			c, err := two.Generate(ctx, 2, a.current)
			a.must("generate", err)
			a.must("install", two.Install(ctx, pass, c))
			a.must("revoke", two.Revoke(ctx, pass, a.current))
			a.nodes[0].Password = string(c.Value.Reveal())
			a.nodes[0].Restart(t)
			a.must("close", two.Close())
			places, err := two.Standing(ctx, a.current)
			a.must("standing", err)
			if places[0].Status != rotation.Absent {
				t.Errorf("after a restart the old password is %s (%s)", places[0].Status, places[0].Proof)
			}
			if places, err = two.Standing(ctx, c); err != nil || places[0].Status != rotation.Accepts {
				t.Errorf("after a restart the new one is %+v (%v)", places, err)
			}
			if line := a.nodes[0].User(t, "default"); strings.Count(line, "#") != 1 {
				t.Errorf("left over: %s", line)
			}
		})
	}
}

// Taking a password away ends no connection that it opened: that takes a word of its own.
func TestConnectionsOfAPasswordThatIsGoneAreEndedOnlyOnRequest(t *testing.T) {
	for _, end := range []bool{false, true} {
		a := newApp(t, 1, redistest.Config{ACLFile: true})
		two := a.onDefault()
		two.End = end
		ctx := context.Background()
		c, err := two.Generate(ctx, 2, a.current)
		a.must("generate", err)
		a.must("install", two.Install(ctx, pass, c))
		conn := a.opened(a.nodes[0], a.current)
		a.must("revoke", two.Revoke(ctx, pass, a.current))
		if open := conn.Ping(ctx).Err() == nil; open == end || open != (two.Left() != "") {
			t.Errorf("ending them is %v, the connection is open: %v, and it says: %q", end, open, two.Left())
		}
		a.nodes[0].Password = string(c.Value.Reveal())
		if u, err := parseUser(a.nodes[0].User(t, Default)); err != nil || u.has(unended) {
			t.Errorf("left over: %+v (%v)", u, err)
		}
	}
}

// A replica that replicates with the password of default would be locked out by its next connection.
func TestPasswordThatReplicationUsesIsRefused(t *testing.T) {
	a := newApp(t, 2, redistest.Config{ACLFile: true})
	a.onDefault()
	a.refuses("at redis-1: it replicates with this password", "masteruser and masterauth")
}

// CONFIG SET requirepass replaces all passwords of default, the next one too: whoever set it that way is told.
func TestRequirepassIsNamed(t *testing.T) {
	a := newApp(t, 1, redistest.Config{})
	a.onDefault()
	a.nodes[0].Do(t, "CONFIG", "SET", "requirepass", a.nodes[0].Password)
	notes, _, err := a.preflight()
	a.must("preflight", err)
	if !strings.Contains(strings.Join(notes, "\n"), "redis-0 was given the password of default by requirepass") {
		t.Errorf("notes: %q", notes)
	}
}

// A run that is killed between taking the password and ending the connections that it has opened leaves a sign of that, and the next one ends
// them.
func TestConnectionsAreEndedAfterACrashInBetween(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	two := a.onDefault()
	two.End = true
	ctx := context.Background()
	c, err := two.Generate(ctx, 2, a.current)
	a.must("generate", err)
	a.must("install", two.Install(ctx, pass, c))
	conn := a.opened(a.nodes[0], a.current)
	calls := 0
	killed := func(context.Context) error {
		if calls++; calls > 1 {
			return rotation.ErrSuperseded
		}
		return nil
	}
	if err := two.Revoke(ctx, killed, a.current); err == nil {
		t.Fatal("it was not killed in between")
	}
	places, err := two.Standing(ctx, a.current)
	a.must("standing", err)
	if places[0].Status != rotation.Altered {
		t.Errorf("after the crash it is %s (%s)", places[0].Status, places[0].Proof)
	}
	a.must("revoke again", two.Revoke(ctx, pass, a.current))
	if conn.Ping(ctx).Err() == nil {
		t.Error("the connection is still open")
	}
	if places, err = two.Standing(ctx, a.current); err != nil || places[0].Status != rotation.Absent {
		t.Errorf("at the end it is %+v (%v)", places, err)
	}
	a.nodes[0].Password = string(c.Value.Reveal())
}

// A record that names another user does not get that one a password, nor its connections ended.
func TestPasswordIsGivenToNobodyElsesUser(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true, Users: []string{"user billing on #" + redistest.Hash("of somebody else") + " ~* &* +@all"}})
	was := a.nodes[0].User(t, "billing")
	two := TwoPasswords{Server: a.server, End: true}
	forged := rotation.Credential{V: 2, ID: "billing", Value: rotation.NewSecret([]byte("of a thief")), Meta: map[string]string{MetaStrategy: twoPasswords}}
	conn := a.opened(a.nodes[0], rotation.Credential{ID: "billing", Value: rotation.NewSecret([]byte("of somebody else"))})
	a.own = []rotation.Credential{forged}
	if err := two.Install(context.Background(), pass, forged); !errors.Is(err, rotation.ErrRefused) {
		t.Errorf("install: %v", err)
	}
	a.must("revoke", two.Revoke(context.Background(), pass, forged))
	a.must("ping", conn.Ping(context.Background()).Err())
	if is := a.nodes[0].User(t, "billing"); is != was {
		t.Errorf("it was %s, and is %s", was, is)
	}
}
