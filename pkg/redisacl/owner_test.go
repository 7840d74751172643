package redisacl

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Two targets with one user in use stage the same next name. Whoever comes second is refused, changes nothing of the first one's user, and
// can be taken back.
func TestTwoTargetsWithOneUser(t *testing.T) {
	a := newApp(t, 2, redistest.Config{ACLFile: true})
	ctx := context.Background()
	other := a.another()
	other.Target = "ffffffff-4f50-6172-8394-a5b6c7d8e9f0"
	first := a.generated()
	second, err := other.Generate(ctx, 2, a.current)
	a.must("generate", err)
	if first.ID != second.ID {
		t.Fatalf("they are %s and %s: nothing is proven", first.ID, second.ID)
	}
	a.must("install", a.server.Install(ctx, pass, first))
	was := a.nodes[1].User(t, first.ID)
	conn := a.opened(a.nodes[1], first)

	if err := other.Install(ctx, pass, second); !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "another target's") {
		t.Errorf("install: %v, want a refusal", err)
	}
	byName := second
	byName.Value = rotation.Secret{}
	a.own = []rotation.Credential{second}
	places, err := other.Standing(ctx, byName)
	a.must("standing", err)
	for _, p := range places {
		if p.Status != rotation.Absent {
			t.Errorf("for the second target it is %s (%s)", p.Status, p.Proof)
		}
	}
	if use, err := other.InUse(ctx, byName); err != nil || len(use.Sessions) != 0 {
		t.Errorf("the first one's connections are the second one's: %+v (%v)", use, err)
	}
	a.must("revoke", other.Revoke(ctx, pass, second))
	a.must("erase", other.Erase(ctx, pass, second))
	a.must("the first one's connection", conn.Ping(ctx).Err())
	if is := a.nodes[1].User(t, first.ID); is != was {
		t.Errorf("the first one's user was %s, and is %s", was, is)
	}
	again, err := other.Generate(ctx, 3, a.current)
	a.must("generate again", err)
	a.own = nil
	a.must("install again", other.Install(ctx, pass, again))
	a.stands(first, rotation.Accepts, "")
}

// Where both have found the name free at the same moment, the first one has it, and the second one leaves no trace.
func TestTwoTargetsInTheSameMoment(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	ctx := context.Background()
	other := a.another()
	other.Target = "ffffffff-4f50-6172-8394-a5b6c7d8e9f0"
	first := a.generated()
	second, err := other.Generate(ctx, 2, a.current)
	a.must("generate", err)
	made := false
	err = other.Install(ctx, func(context.Context) error { // between the look and the command
		if made {
			return nil
		}
		made = true
		return a.server.Install(ctx, pass, first)
	}, second)
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "another target's") {
		t.Errorf("install: %v, want a refusal", err)
	}
	if _, err := a.open(a.nodes[0], second); err == nil {
		t.Error("the second one's password is left at the first one's user")
	}
	a.must("the first one again", a.server.Install(ctx, pass, first))
	a.stands(first, rotation.Accepts, "")
	a.alike(first, a.current)
}

// Whoever may write the record may write any name there. A user is changed where this target has made it, or has a password of it: in no
// other case.
func TestUserOfSomebodyElseIsNeverTouched(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true, Users: []string{"user billing on #" + redistest.Hash("of somebody else") + " ~* &* +@all"}})
	ctx := context.Background()
	theirs := rotation.Credential{ID: "billing", Value: rotation.NewSecret([]byte("of somebody else"))}
	was := a.nodes[0].User(t, "billing")
	conn := a.opened(a.nodes[0], theirs)
	for name, forged := range map[string]rotation.Credential{
		"with a value": {V: 9, ID: "billing", Value: rotation.NewSecret([]byte("of a thief"))},
		"as a version": {V: 9, ID: "billing", Value: rotation.NewSecret([]byte("of a thief")), Meta: map[string]string{MetaModel: "backend", MetaRules: rules}},
		"by its name":  {V: 9, ID: "billing"},
	} {
		for effect, run := range map[string]func(context.Context, rotation.Fence, rotation.Credential) error{
			"install": a.server.Install, "revoke": a.server.Revoke, "erase": a.server.Erase,
		} {
			a.own = []rotation.Credential{forged}
			if err := run(ctx, pass, forged); err == nil {
				t.Errorf("%s, %s: no error", name, effect)
			}
			if is := a.nodes[0].User(t, "billing"); is != was {
				t.Fatalf("%s, %s: it was %s, and is %s", name, effect, was, is)
			}
		}
	}
	a.must("its connection", conn.Ping(ctx).Err())
	a.own = []rotation.Credential{theirs} // whoever knows the password could log in as that user anyway
	a.must("revoke", a.server.Revoke(ctx, pass, rotation.Credential{ID: "billing"}))
}

// A user that was in use before is the target's by its password, and by the mark that it gets when it is revoked: it is erased though its
// value is not on record any more. A user that is not the target's can be agreed to.
func TestAdoptedUserIsTheTargetsByItsPassword(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	ctx := context.Background()
	old := a.current
	a.next()
	a.must("revoke", a.server.Revoke(ctx, pass, old))
	if u, err := parseUser(a.nodes[0].User(t, "backend")); err != nil || u.mark() != a.server.mark() || u.on {
		t.Errorf("it is %+v (%v), want it off, with the target's mark", u, err)
	}
	if _, err := a.open(a.nodes[0], rotation.Credential{ID: "backend", Value: rotation.NewSecret([]byte(a.server.mark()))}); err == nil {
		t.Error("the mark is a password")
	}
	a.nodes[0].Restart(t)
	a.current = rotation.Credential{ID: "none"}
	a.must("erase", a.server.Erase(ctx, pass, rotation.Credential{ID: "backend"}))
	a.nodes[0].Do(t, "ACL", "SETUSER", "backend", "on", ">changed by somebody")
	if err := a.server.Erase(ctx, pass, old); !errors.Is(err, rotation.ErrRefused) || !strings.Contains(rotation.Hint(err), "ACL DELUSER backend") {
		t.Errorf("erase: %v (%s)", err, rotation.Hint(err))
	}
	a.agreed = rotation.ConsentOwnership
	a.must("erase, agreed to", a.server.Erase(ctx, pass, old))
}
