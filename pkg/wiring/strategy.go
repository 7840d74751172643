package wiring

import (
	"context"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl"
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
	if c, ok := unfinished(rec); ok {
		return postgres.StrategyOf(c)
	}
	return postgres.Strategy(t.Postgres.Strategy)
}

// stays says in the same way whether a user of Redis keeps its name, and only its password changes.
func stays(rec rotation.Record, t config.Target) bool {
	if c, ok := unfinished(rec); ok {
		return redisacl.Keeps(c)
	}
	return rec.Current.ID == redisacl.Default || t.Secret.Login != ""
}

// unfinished is the new version of the rotation that is under way; ok is false where none is, or it has no value yet.
func unfinished(rec rotation.Record) (c rotation.Credential, ok bool) {
	if i := rec.Intent; i != nil && !rec.Standby() {
		c, ok = rec.Live[max(i.From, i.To)]
	}
	return c, ok
}
