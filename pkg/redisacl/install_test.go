package redisacl

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// sorts are the ways in which servers keep their users over a restart.
var sorts = map[string]redistest.Config{"an ACL file": {ACLFile: true}, "redis.conf": {}}

func TestNextUserMayDoWhatTheOldOneMayAndOutlastsARestart(t *testing.T) {
	for name, sort := range sorts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, 2, sort)
			c := a.next()
			a.alike(c, a.current)
			for _, n := range a.nodes {
				n.Restart(t)
			}
			a.alike(c, a.current)
			a.stands(c, rotation.Accepts, "AUTH as backend_v2")
			a.stands(a.current, rotation.Accepts, "AUTH as backend")
		})
	}
}

// A user that was read from a file, or made without reset, has no word about sanitize-payload, which reset gives.
func TestNextUserHasNoWordMoreThanTheOldOne(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	a.nodes[0].Do(t, "ACL", "DELUSER", "backend")
	a.nodes[0].Do(t, "ACL", "SETUSER", "backend", "on", "#"+hash(a.current.Value), "~config:*", "resetchannels", "&config:*", "-@all", "+subscribe")
	c := a.next()
	was := strings.NewReplacer("user backend ", "user backend_v2 ", hash(a.current.Value), a.server.mark()+" #"+hash(c.Value)).Replace(a.nodes[0].User(t, "backend"))
	if is := a.nodes[0].User(t, "backend_v2"); is != was {
		t.Errorf("the next user is\n%s, want\n%s", is, was)
	}
}

// A parenthesis within a pattern begins no selector: what follows it is not swallowed.
func TestPatternsMayHaveParentheses(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true, Users: []string{"user other on #" + redistest.Hash("x") + " ~a(b* resetchannels &:-) -@all +get (~c resetchannels -@all +set)"}})
	a.current = rotation.Credential{V: 1, ID: "other", Value: rotation.NewSecret([]byte("x"))}
	c := a.next()
	was := strings.NewReplacer("user other ", "user other_v2 ", redistest.Hash("x"), a.server.mark()+" #"+hash(c.Value)).Replace(a.nodes[0].User(t, "other"))
	if is := a.nodes[0].User(t, "other_v2"); is != was {
		t.Errorf("the next user is\n%s, want\n%s", is, was)
	}
	a.stands(c, rotation.Accepts, "AUTH")
}

// What is on record as the rules of the next user are compared with those of the user in use, and never trusted: whoever may write there
// could give itself any right.
func TestRulesOnRecordThatAreNotTheModelsAreRefused(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true, Users: []string{"user billing on #" + redistest.Hash("of somebody else") + " ~* &* +@all"}})
	for name, change := range map[string]func(map[string]string){
		"all rights":               func(meta map[string]string) { meta[MetaRules] = "~* &* +@all" },
		"one command more":         func(meta map[string]string) { meta[MetaRules] = rules + " +del" },
		"another one's user":       func(meta map[string]string) { meta[MetaModel], meta[MetaRules] = "billing", "~* &* +@all" },
		"a user that is not there": func(meta map[string]string) { meta[MetaModel] = "nobody" },
	} {
		c := a.generated()
		change(c.Meta)
		err := a.server.Install(context.Background(), pass, c)
		if !errors.Is(err, rotation.ErrRefused) || strings.Contains(err.Error(), hash(c.Value)) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
		if line := a.nodes[0].User(t, c.ID); line != "" {
			t.Errorf("%s: it was made: %s", name, line)
		}
	}
}

func TestWhatIsRevokedOrErasedStaysSoAfterARestart(t *testing.T) {
	for name, sort := range sorts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, 1, sort)
			ctx := context.Background()
			c := a.next()
			a.must("revoke", a.server.Revoke(ctx, pass, a.current))
			a.nodes[0].Restart(t)
			a.stands(a.current, rotation.Quarantined, "off")
			a.must("erase", a.server.Erase(ctx, pass, a.current))
			a.nodes[0].Restart(t)
			a.stands(a.current, rotation.Absent, "")
			a.alike(c, a.current)
		})
	}
}

// A run that is killed before the users are saved leaves them in memory alone. The next one has to see that.
func TestWhatWasNotSavedIsSeenAndSaved(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	ctx := context.Background()
	file, away := filepath.Join(a.nodes[0].Dir, "users.acl"), filepath.Join(a.nodes[0].Dir, "away")
	c := a.generated()
	blocked := func() (restore func()) { // a folder where the file should be
		a.must("moving the file", errors.Join(os.Rename(file, away), os.MkdirAll(filepath.Join(file, "full"), 0o700)))
		return func() { a.must("moving it back", errors.Join(os.RemoveAll(file), os.Rename(away, file))) }
	}
	restore := blocked()
	if err := a.server.Install(ctx, pass, c); err == nil || !strings.Contains(err.Error(), "saving the users of redis-0") {
		t.Fatalf("install: %v, want it to say that the users could not be saved", err)
	}
	a.stands(c, rotation.Altered, "not finished")
	a.opened(a.nodes[0], c) // which harms nobody
	restore()
	a.server = a.another()
	a.stands(c, rotation.Altered, "not finished")
	a.must("install again", a.server.Install(ctx, pass, c))
	a.stands(c, rotation.Accepts, "")
	a.nodes[0].Restart(t)
	a.stands(c, rotation.Accepts, "")
	a.alike(c, a.current)

	a.must("revoke", a.server.Revoke(ctx, pass, a.current))
	restore = blocked()
	if err := a.server.Erase(ctx, pass, a.current); err == nil {
		t.Fatal("erased, and could not be saved")
	}
	restore()
	a.must("erase again", a.another().Erase(ctx, pass, a.current)) // it is gone from memory by now
	a.nodes[0].Restart(t)
	a.stands(a.current, rotation.Absent, "")
}

// What somebody left under the name of the next user, as the runbook does, is never taken over.
func TestNameThatIsTakenIsLeftAlone(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true, Users: []string{"user backend_v2 on #" + redistest.Hash("somebody's") + " ~* +@all"}})
	was := a.nodes[0].User(t, "backend_v2")
	c := a.next()
	if c.ID != "backend_v2_2" || c.Meta[MetaTaken] != "backend_v2" {
		t.Errorf("the next user is %s, instead of %q", c.ID, c.Meta[MetaTaken])
	}
	if is := a.nodes[0].User(t, "backend_v2"); is != was {
		t.Errorf("somebody's user was %s, and is %s", was, is)
	}
}

func TestVersionsAreNumberedOn(t *testing.T) {
	for current, want := range map[string]string{
		"backend": "backend_v3", "backend_v2": "backend_v3", "backend_v2_2": "backend_v3", "a_v1_b": "a_v1_b_v3",
	} {
		if got := nameOf(current, 3, 1); got != want {
			t.Errorf("after %s comes %s, want %s", current, got, want)
		}
	}
}

// A user of the next name that came about in the meantime is left as it is.
func TestUserThatCameAboutInTheMeantimeIsLeftAlone(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	c := a.generated()
	a.nodes[0].Do(t, "ACL", "SETUSER", c.ID, "on", ">somebody's", "~*", "+@all")
	was := a.nodes[0].User(t, c.ID)
	if err := a.server.Install(context.Background(), pass, c); !errors.Is(err, rotation.ErrRefused) {
		t.Errorf("install: %v", err)
	}
	if is := a.nodes[0].User(t, c.ID); is != was {
		t.Errorf("it was %s, and is %s", was, is)
	}
}

// A PING is answered after an AUTH that failed, where default needs no password. Only the answer to AUTH counts.
func TestLoginIsNotProvenByAnAnswerToSomebodyElse(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	a.nodes[0].Do(t, "ACL", "SETUSER", "default", "nopass")
	wrong := a.current
	wrong.Value = rotation.NewSecret([]byte("wrong"))
	a.must("look", a.server.with(context.Background(), func(ctx context.Context, fl *fleet) error {
		status, proof, err := fl.up[0].try(ctx, wrong)
		if status == rotation.Accepts || !strings.Contains(proof, "WRONGPASS") {
			t.Errorf("a wrong password: %s (%s)", status, proof)
		}
		status, proof, _ = fl.up[0].try(ctx, a.current)
		if status != rotation.Accepts {
			t.Errorf("the right one: %s (%s)", status, proof)
		}
		return err
	}))
}

// A node that has never seen the user in use learns of the next one's rules from what was saved with its value.
func TestNodeWithoutUsersIsGivenTheRulesOnRecord(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	c := a.next()
	fresh := redistest.For(t, redistest.Config{ACLFile: true, Password: a.nodes[0].Password})
	a.nodes = append(a.nodes, fresh)
	places, err := a.server.Standing(context.Background(), c)
	a.must("standing", err)
	if places[1].Status != rotation.Absent {
		t.Errorf("at the new node it is %s", places[1].Status)
	}
	a.must("install", a.server.Install(context.Background(), pass, c))
	a.stands(c, rotation.Accepts, "")
	a.alike(c, a.current)
}
