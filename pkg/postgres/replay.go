package postgres

import (
	"context"
	"time"
)

// position is how far the primary's log goes now.
func (n *session) position(ctx context.Context) (string, error) {
	at, err := one[string](ctx, n, "SELECT pg_current_wal_lsn()::text")
	return at, wrap(err, "reading the log position of %s", n.node.Name)
}

// replayed says whether standby n has replayed the primary's log up to a position, and waits for that with patience.
func (n *session) replayed(ctx context.Context, at string, patience time.Duration) (bool, error) {
	done, err := until(ctx, patience, func(ctx context.Context) (bool, error) {
		return one[bool](ctx, n, "SELECT coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false)", at)
	})
	return done, wrap(err, "reading how far %s has replayed", n.node.Name)
}
