package postgres

import (
	"context"
	"fmt"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Plan is the SQL that an effect on c would run now, with the verifier shown as [rotation.Redacted]. Where there is nothing to
// do, it is a comment that says so. It does not look at what erasing waits for.
func (s *Server) Plan(ctx context.Context, e rotation.Effect, c rotation.Credential) ([]string, error) {
	var lines []string
	err := s.with(ctx, func(ctx context.Context, cl *cluster) error {
		sub, err := s.subject(ctx, cl.primary, c)
		if err == nil {
			err = s.mayChange(ctx, cl.primary, sub)
		}
		if err != nil {
			return err
		}
		lines, err = s.plan(ctx, cl.primary, e, sub)
		return err
	})
	return lines, wrap(err, "planning to %s %s", e, c.ID)
}

func (s *Server) plan(ctx context.Context, n *session, e rotation.Effect, sub subject) (lines []string, err error) {
	var list []statement
	switch e {
	case rotation.EffectInstall:
		list, lines, err = s.planInstall(ctx, n, sub)
	case rotation.EffectRevoke:
		list = sub.revoking()
	case rotation.EffectErase:
		list = sub.erasing()
		switch {
		case sub.copied() && sub.role != nil:
			lines, err = s.planned(ctx, n, sub.alone(), holdings.takes)
		case sub.byHand():
			lines, err = s.planned(ctx, n, sub, func(h holdings) []statement { return append(h.reassigning(), h.taking()...) })
		}
	default:
		err = fmt.Errorf("%q is not an effect", e)
	}
	for _, st := range list {
		lines = append(lines, st.String())
	}
	switch {
	case err != nil:
		return nil, err
	case len(list) == 0:
		return []string{fmt.Sprintf("-- nothing to do for role %s", ident(sub.c.ID))}, nil
	case e == rotation.EffectRevoke:
		lines = append(lines, fmt.Sprintf(
			"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = %s::regrole", literal(ident(sub.c.ID))))
	}
	return lines, nil
}

// planInstall are the statements that install, and the lines of what comes before them in each database.
func (s *Server) planInstall(ctx context.Context, n *session, sub subject) (list []statement, lines []string, err error) {
	if list, err = s.installing(ctx, n, sub); err != nil {
		return nil, nil, err
	}
	if sub.cloned() {
		return list, []string{fmt.Sprintf("-- and after it, in each database: GRANT to %s whatever is granted to %s", ident(sub.c.ID), ident(sub.model()))}, nil
	}
	model, joining, err := s.joining(ctx, n, sub)
	if err == nil && model.role != nil {
		lines, err = s.planned(ctx, n, model, func(h holdings) []statement { return append(h.giving(), h.lending()...) })
		lines = append(lines, "-- in any database")
	}
	return append(joining, list...), lines, err
}
