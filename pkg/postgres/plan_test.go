package postgres

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

func TestPlanIsWhatWouldBeRun(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	a.sql("postgres", fmt.Sprintf("ALTER ROLE %s SET work_mem TO '6MB'", ident(a.owner)))
	c := a.generated()
	owner, login := ident(a.owner), ident(c.ID)
	for _, step := range []struct {
		effect rotation.Effect
		c      rotation.Credential
		do     func(context.Context, rotation.Fence, rotation.Credential) error
		want   []string
	}{
		{rotation.EffectInstall, c, a.server.Install, []string{
			fmt.Sprintf("CREATE ROLE %s LOGIN CONNECTION LIMIT 20 IN ROLE %s", login, owner),
			fmt.Sprintf("ALTER ROLE %s PASSWORD '[redacted]'", login),
			fmt.Sprintf("COMMENT ON ROLE %s IS 'kubectl-rotate: login of %s'", login, a.owner),
			fmt.Sprintf("ALTER ROLE %s SET role TO '%s'", login, a.owner),
			fmt.Sprintf(`ALTER ROLE %s SET "work_mem" TO '6MB'`, login),
		}},
		{rotation.EffectInstall, c, a.server.Install, []string{"-- nothing to do for role " + login}},
		{rotation.EffectRevoke, a.current, a.server.Revoke, []string{
			fmt.Sprintf("ALTER ROLE %s NOLOGIN", owner),
			fmt.Sprintf("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = '%s'::regrole", owner),
		}},
		{rotation.EffectErase, a.current, a.server.Erase, []string{
			fmt.Sprintf("ALTER ROLE %s PASSWORD NULL", owner),
			fmt.Sprintf("COMMENT ON ROLE %s IS '%s'", owner, retiredMark),
		}},
		{rotation.EffectErase, c, nil, []string{"DROP ROLE " + login}},
	} {
		got, err := a.server.Plan(ctx, step.effect, step.c)
		a.must("plan", err)
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s %s: %s", step.effect, step.c.ID, diff)
		}
		if step.do != nil {
			a.must(string(step.effect), step.do(ctx, pass, step.c))
		}
	}
	a.stands(a.server, c, rotation.Accepts, "acting as "+a.owner)
}
