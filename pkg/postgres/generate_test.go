package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func TestNewLoginIsNamedAfterTheOwnerAndTheVersion(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	second, err := a.server.Generate(ctx, 2, a.current)
	a.must("generate", err)
	if want := a.owner + "_v2"; second.ID != want || second.V != 2 {
		t.Errorf("%s as %v, want %s as v2", second.ID, second.V, want)
	}
	if diff := cmp.Diff(map[string]string{MetaOwner: a.owner, MetaModel: a.owner}, second.Meta); diff != "" {
		t.Error(diff)
	}
	a.must("install", a.server.Install(ctx, pass, second))
	third, err := a.server.Generate(ctx, 3, rotation.Credential{ID: second.ID}) // as one whose Meta was lost
	a.must("generate", err)
	if diff := cmp.Diff(map[string]string{MetaOwner: a.owner, MetaModel: second.ID}, third.Meta); diff != "" {
		t.Errorf("the owner is not found from the catalogue: %s", diff)
	}
}

// backend_v2 may be a leftover of a rotation by hand, with grants and a password of its own.
func TestLeftoverOfTheSameNameIsPassedOverAndNamed(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	leftover := a.owner + "_v2"
	a.sql("postgres", fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD 'by hand'", ident(leftover)))
	c, err := a.server.Generate(ctx, 2, a.current)
	a.must("generate", err)
	if c.ID != leftover+"_2" || c.Meta[MetaTaken] != leftover {
		t.Errorf("generated %s with %v, want %s_2, and %s said to be taken", c.ID, c.Meta, leftover, leftover)
	}
	c.ID = leftover // it appeared after the name was chosen
	for name, effect := range map[string]func(context.Context, rotation.Fence, rotation.Credential) error{
		"install": a.server.Install, "revoke": a.server.Revoke, "erase": a.server.Erase,
	} {
		if err := effect(ctx, pass, c); !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), leftover) {
			t.Errorf("%s of a role that is not ours: %v, want a refusal that names it", name, err)
		}
	}
	if can := a.Value(t, "postgres", "SELECT rolcanlogin::text FROM pg_roles WHERE rolname = $1", leftover); can != "true" {
		t.Error("the leftover was changed")
	}
}

// A name of 63 bytes is the longest: it goes through a whole rotation. One byte more, for a version of two digits or because
// the name is taken, is refused beforehand, and never cut by the server.
func TestNameThatWouldBeCutIsRefused(t *testing.T) {
	for _, strategy := range []Strategy{Alternate, Clone} {
		t.Run(string(strategy), func(t *testing.T) {
			a := namedApp(t, strings.Repeat("n", 60))
			a.server.Strategy = strategy
			if strategy == Clone {
				a.sql(a.database, fmt.Sprintf("ALTER SCHEMA %s OWNER TO postgres", a.owner))
			}
			ctx := context.Background()
			a.preflight(a.server, a.current)
			c := a.next()
			if len(c.ID) != 63 || !a.exists(c.ID) {
				t.Errorf("%q has %d bytes, or is not there", c.ID, len(c.ID))
			}
			a.stands(a.server, c, rotation.Accepts, "login as "+c.ID)
			ninth := a.current
			ninth.V = 9
			for name, last := range map[string]rotation.Credential{"the tenth version": ninth, "a name that is taken": a.current} {
				a.refusedFor(a.server, last, "bytes: PostgreSQL would cut it to 63", "shorter")
				if _, err := a.server.Generate(ctx, last.V+1, a.current); !errors.Is(err, rotation.ErrRefused) {
					t.Errorf("%s: %v, want a refusal", name, err)
				}
			}
			a.must("revoke", a.server.Revoke(ctx, pass, c))
			a.must("erase", a.server.Erase(ctx, pass, c))
			a.stands(a.server, c, rotation.Absent, "no such role")
		})
	}
}
