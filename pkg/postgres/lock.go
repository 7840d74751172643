package postgres

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// lockKey is the advisory lock under which every effect of every operator on this server takes place, whatever the role: a
// role that does not exist has no owner from which a lock of its own could be derived, and must be protected from
// being made all the same. It spells "kuberota".
const lockKey int64 = 0x6b75_6265_726f_7461

const (
	exclusive = "pg_advisory_xact_lock"
	shared    = "pg_advisory_xact_lock_shared"
)

// locked is locked on a node, and ends sessions that are in its way.
func (s *Server) locked(ctx context.Context, n *session, lock string, do func(context.Context) error) error {
	return s.cleared(ctx, n, func(ctx context.Context) error { return n.locked(ctx, lock, do) })
}

// cleared runs do on n, and ends sessions that it waits for, as long as it runs: any that holds the advisory lock although its role
// could not rotate anything, and, of a login that has leaked, any at all. Whoever has the leaked login may take what locks it likes.
func (s *Server) cleared(ctx context.Context, n *session, do func(context.Context) error) error {
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watched := pid(n.conn)
	watch.Go(func() { s.clear(watching, n.node, n.conn.Config().Database, watched) })
	defer watch.Wait()
	defer stop()
	return do(ctx)
}

// blockedAfter is how long an effect may take before somebody looks what it waits for.
const blockedAfter = 300 * time.Millisecond

// clear ends the sessions that one process of the server waits for and that have no business to be waited for. It connects only where
// there may be any.
func (s *Server) clear(ctx context.Context, node Node, database, waiting string) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(blockedAfter):
	}
	n, err := s.enter(ctx, node, database)
	if err != nil {
		return // then whoever waits says what for
	}
	defer n.hangUp()
	tick := time.NewTicker(5 * glance)
	defer tick.Stop()
	for {
		ended, err := list(ctx, n, pgx.RowToStructByPos[holder], `
			SELECT * FROM (SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename, ''), coalesce(host(a.client_addr), 'local')
			FROM unnest(pg_blocking_pids($1::int)) AS b(pid) JOIN pg_stat_activity a ON a.pid = b.pid JOIN pg_roles r ON r.oid = a.usesysid
			WHERE NOT r.rolsuper AND r.rolname <> current_user AND (r.rolname = $2 OR NOT r.rolcreaterole AND EXISTS (
				SELECT FROM pg_locks l WHERE l.pid = $1::int AND NOT l.granted AND l.locktype = 'advisory'))
			OFFSET 0) AS found WHERE pg_terminate_backend(pid)`, waiting, s.Leaked)
		if err != nil {
			return
		}
		for _, h := range ended {
			s.note("ended a session of %s that was in the way of the rotation (pid %d, from %s, called %q)", h.User, h.PID, h.Address, h.App)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// note tells what was done beyond what was asked for.
func (s *Server) note(format string, args ...any) {
	if s.Note != nil {
		s.Note(fmt.Sprintf(format, args...))
	}
}

// locked runs do in one transaction that holds the lock. The lock ends with the transaction: at its commit, when the
// connection breaks, or when the server ends it because the client has stalled.
func (n *session) locked(ctx context.Context, lock string, do func(context.Context) error) error {
	begin := "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
	if lock == shared {
		begin = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY"
	}
	if err := n.exec(ctx, begin); err != nil {
		return err
	}
	if err := n.exec(ctx, "SELECT "+lock+"($1::bigint)", lockKey); err != nil {
		n.rollback(ctx)
		return n.whoHolds(ctx, err)
	}
	if err := do(ctx); err != nil {
		n.rollback(ctx)
		return err
	}
	return wrap(n.exec(ctx, "COMMIT"), "committing")
}

// rollback ends the transaction even after ctx is done. Where that fails, the connection goes, and the transaction with it.
func (n *session) rollback(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if n.exec(ctx, "ROLLBACK") != nil {
		n.hangUp()
	}
}

// holder is somebody who has the lock.
type holder struct {
	PID     int
	App     string
	User    string
	Address string
}

// whoHolds adds to a wait for the lock that was given up who has it.
func (n *session) whoHolds(ctx context.Context, err error) error {
	if code(err) != codeLocked {
		return err
	}
	holders, look := list(ctx, n, pgx.RowToStructByPos[holder], `
		SELECT l.pid, coalesce(a.application_name, ''), coalesce(a.usename, ''), coalesce(host(a.client_addr), 'local')
		FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
		WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted AND l.pid <> pg_backend_pid()
			AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
			AND (l.classid::bigint << 32) | l.objid::bigint = $1::bigint`, lockKey)
	if look != nil || len(holders) == 0 {
		return fmt.Errorf("another rotation held the lock for too long: %w", err)
	}
	var names []string
	for _, h := range holders {
		names = append(names, fmt.Sprintf("%s, pid %d, as %s from %s", cmp.Or(h.App, "an unnamed client"), h.PID, h.User, h.Address))
	}
	return rotation.WithHint(fmt.Errorf("another rotation holds the lock (%s): %w", strings.Join(names, "; "), err),
		"wait for it to end; the server ends a rotation that has stalled by itself")
}

// change makes one effect on the primary: decide looks, under the lock, and gives what is to be done; then the fence is
// asked, and only then it is done. All of it is done, or nothing.
func (s *Server) change(ctx context.Context, n *session, f rotation.Fence, decide func(context.Context) (func(context.Context) error, error)) error {
	return s.locked(ctx, n, exclusive, func(ctx context.Context) error {
		do, err := decide(ctx)
		if err != nil {
			return err
		}
		if err := s.pass(ctx, f); err != nil {
			return err
		}
		return do(ctx)
	})
}

// pass asks the fence, and gives up before the server would end the transaction.
func (s *Server) pass(ctx context.Context, f rotation.Fence) error {
	ctx, cancel := context.WithTimeout(ctx, s.stall()*9/10)
	defer cancel()
	return f(ctx)
}

// statements is a decision to run these.
func (n *session) statements(list []statement) func(context.Context) error {
	return func(ctx context.Context) error { return n.run(ctx, list) }
}
