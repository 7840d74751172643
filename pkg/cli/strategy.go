package cli

import (
	"context"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// database is a PostgreSQL server under one strategy.
type database interface {
	rotation.Server
	Preflight(ctx context.Context, current rotation.Credential) (notes []string, err error)
}

// underStrategy is the server as its strategy has it.
func underStrategy(server *postgres.Server) database {
	if server.Strategy == postgres.SameUser {
		return postgres.SingleLogin{Server: server}
	}
	return server
}

// strategy is the one of the rotation that is under way, as its new version says, whatever the configuration has become since;
// else the configuration's.
func strategy(rec rotation.Record, t config.Target) postgres.Strategy {
	if i := rec.Intent; i != nil && !rec.Standby() {
		if c, staged := rec.Live[max(i.From, i.To)]; staged {
			return postgres.StrategyOf(c)
		}
	}
	return postgres.Strategy(t.Postgres.Strategy)
}
