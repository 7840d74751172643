package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// tenant is an application on a server that it shares with others, and whose record somebody may forge.
type tenant struct {
	*app
	rec rotation.Record
}

func newTenant(t *testing.T) *tenant {
	t.Helper()
	a := &tenant{app: newApp(t)}
	a.rec = newShelf(a.current).rec
	a.server.Target = fmt.Sprintf("team/%s 4f1c", a.owner)
	a.server.Record = func(context.Context) (rotation.Record, error) { return a.rec, nil }
	return a
}

// refuses wants an effect to be refused and to change nothing about a role.
func (a *tenant) refuses(what, phrase, role string, effect func() error) {
	a.t.Helper()
	const state = `SELECT concat_ws(' ', oid, rolcanlogin, rolpassword, rolconnlimit, shobj_description(oid, 'pg_authid'),
		(SELECT string_agg(m.member::text || '>' || m.roleid, ',' ORDER BY 1) FROM pg_auth_members m WHERE a.oid IN (m.member, m.roleid)))
		FROM pg_authid a WHERE rolname = $1`
	before := a.Value(a.t, "postgres", state, role)
	err := effect()
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), phrase) {
		a.t.Errorf("%s: %v, want a refusal with %q", what, err, phrase)
	}
	if after := a.Value(a.t, "postgres", state, role); after != before {
		a.t.Errorf("%s: %s is\n%s, it was\n%s", what, role, after, before)
	}
}

// Whoever can write in a namespace can write the record of its targets. None of that has the admin touch a role of somebody else's.
func TestForgedRecord(t *testing.T) {
	ctx := context.Background()
	a, victim := newTenant(t), newTenant(t)
	theirs := victim.next()
	generated := func(c rotation.Credential, meta ...string) rotation.Credential {
		c.Meta = map[string]string{MetaOwner: victim.owner}
		for i := 0; i < len(meta); i += 2 {
			c.Meta[meta[i]] = meta[i+1]
		}
		return c
	}
	junk := rotation.NewSecret([]byte("whatever"))
	install := func(c rotation.Credential) func() error {
		return func() error { return a.server.Install(ctx, pass, c) }
	}
	fresh := rotation.Credential{V: 2, ID: a.owner + "_v2", Value: junk}

	a.refuses("another owner", "nothing entitles", victim.owner, install(generated(fresh)))
	a.refuses("another owner and model", "nothing entitles", victim.owner, install(generated(fresh, MetaModel, theirs.ID)))
	a.refuses("a clone of another's login", "nothing entitles", theirs.ID,
		install(generated(fresh, MetaModel, theirs.ID, MetaStrategy, string(Clone), MetaOwner, fresh.ID)))
	a.rec.Current = rotation.Credential{ID: victim.owner, Value: junk}
	a.refuses("the Secret names another's login", "nothing entitles", victim.owner, install(generated(fresh)))
	a.refuses("as does --compromised", "nothing entitles", victim.owner, func() error {
		a.server.Leaked = victim.owner
		defer func() { a.server.Leaked = "" }()
		return a.server.Install(ctx, pass, generated(fresh))
	})
	a.rec.Current = a.current
	for _, c := range []rotation.Credential{
		{V: 9, ID: victim.owner}, {V: 9, ID: theirs.ID}, {V: 9, ID: theirs.ID, Value: junk}, {V: 9, ID: victim.owner, Value: junk},
		generated(rotation.Credential{V: 9, ID: theirs.ID, Value: junk}),
	} {
		a.rec.Live = map[rotation.Version]rotation.Credential{9: c}
		for name, effect := range map[string]func(context.Context, rotation.Fence, rotation.Credential) error{
			"install": a.server.Install, "revoke": a.server.Revoke, "erase": a.server.Erase,
		} {
			if name == "install" && c.Value.Empty() {
				continue
			}
			a.refuses(fmt.Sprintf("%s of %s with %d bytes", name, c.ID, len(c.Value.Reveal())), "role ", c.ID, func() error { return effect(ctx, pass, c) })
		}
		single := SingleLogin{a.server}
		if !c.Value.Empty() {
			a.refuses("another's password with the strategy same-user", "role ", c.ID, func() error { return single.Install(ctx, pass, c) })
		}
	}
	victim.stands(victim.server, theirs, rotation.Accepts, "login as "+theirs.ID)
	victim.stands(victim.server, victim.current, rotation.Accepts, "login as "+victim.owner)
}

// Two targets have one login, and both come upon the same name for the next before either has made it. The first has it; the
// second leaves it alone, and passes it over when it begins again.
func TestTwoTargetsWithOneLogin(t *testing.T) {
	ctx := context.Background()
	first := newTenant(t)
	second := &tenant{app: &app{Cluster: first.Cluster, t: t, current: first.current, owner: first.owner, database: first.database}, rec: first.rec}
	second.server = second.via(viaScram)
	second.server.Target = "other/login 77aa"
	second.server.Record = func(context.Context) (rotation.Record, error) { return second.rec, nil }
	one, two := first.generated(), second.generated()
	if one.ID != two.ID {
		t.Fatalf("%s and %s: the test would prove nothing", one.ID, two.ID)
	}
	first.must("install", first.server.Install(ctx, pass, one))
	for name, effect := range map[string]func(context.Context, rotation.Fence, rotation.Credential) error{
		"install": second.server.Install, "revoke": second.server.Revoke, "erase": second.server.Erase,
	} {
		second.refuses(name, "was made for another target, "+first.server.Target, one.ID, func() error { return effect(ctx, pass, two) })
	}
	first.stands(first.server, one, rotation.Accepts, "login as "+one.ID)
	again := second.generated()
	if again.ID == one.ID || again.Meta[MetaTaken] != one.ID {
		t.Errorf("it is %s, and %q was taken", again.ID, again.Meta[MetaTaken])
	}
	second.must("install", second.server.Install(ctx, pass, again))
	first.stands(first.server, one, rotation.Accepts, "login as "+one.ID)
}

// A comment says whose login a role is to whoever may write comments. Membership says it too.
func TestCommentAloneMakesNobodyALoginOfAnother(t *testing.T) {
	a, victim := newTenant(t), newTenant(t)
	a.sql("postgres", fmt.Sprintf("COMMENT ON ROLE %s IS %s", ident(a.owner), literal(a.server.marking(loginMark, victim.owner, a.current))))
	_, err := a.server.Generate(context.Background(), 2, a.current)
	if !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "it is no member of it") {
		t.Errorf("%v, want a refusal", err)
	}
}

// A target goes through two rotations, and back from a third, with its record looked at throughout.
func TestTargetIsEntitledToItsOwn(t *testing.T) {
	for _, strategy := range []Strategy{Alternate, Clone, SameUser} {
		t.Run(string(strategy), func(t *testing.T) {
			a := newApp(t)
			if strategy == Clone {
				a.sql(a.database, fmt.Sprintf("REASSIGN OWNED BY %s TO CURRENT_USER", ident(a.owner)))
			}
			a.server.Strategy = strategy
			o := (&pair{app: a}).operator(a.server)
			if strategy == SameUser {
				o.System = a.single()
			}
			o.Timeout = 60e9
			a.server.Target, a.server.Record = "team/login 4f1c", o.Store.(*shelf).Load
			for range 2 {
				result, err := o.Run(context.Background(), rotation.Want{Again: true})
				if err != nil || result.Outcome != rotation.Finished {
					t.Fatalf("%v, %v (%s)", result.Outcome, err, rotation.Hint(err))
				}
			}
			if _, err := o.Run(context.Background(), rotation.Want{Again: true, Until: rotation.StepActivate}); err != nil {
				t.Fatal(err)
			}
			result, err := o.Run(context.Background(), rotation.Want{Back: true})
			if err != nil || result.Outcome != rotation.Finished {
				t.Errorf("back: %v, %v (%s)", result.Outcome, err, rotation.Hint(err))
			}
		})
	}
}
