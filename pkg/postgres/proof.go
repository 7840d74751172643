package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// proofAge is how long a login counts as proven while nothing on its node has changed that a login depends on. Each login is a
// connection, and by exec a process in the server's container.
const proofAge = time.Minute

// proofs are logins that were proven, by node, login and database.
type proofs struct {
	mu  sync.Mutex
	all map[[3]string]proof
}

type proof struct {
	verdict
	value rotation.Secret
	mark  string
	at    time.Time
}

func (a attempt) key() [3]string { return [3]string{a.node.node.Name, a.sub.c.ID, a.database} }

// of is what a login has proven; ok is false where it has to be tried.
func (p *proofs) of(a attempt) (v verdict, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.all[a.key()]
	ok = ok && a.mark != "" && known.mark == a.mark && known.value.Equal(a.sub.c.Value) && time.Since(known.at) < proofAge
	return known.verdict, ok
}

// keep remembers a login that was accepted.
func (p *proofs) keep(a attempt, v verdict) {
	if v.status != rotation.Accepts || a.mark == "" {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all == nil {
		p.all = map[[3]string]proof{}
	}
	p.all[a.key()] = proof{v, a.sub.c.Value, a.mark, time.Now()}
}

// mark changes whenever anything does that decides what becomes of a login at a node: roles, memberships, settings, databases, the
// configuration that the server has loaded, pg_hba.conf with it. It is "" where the admin may not see all of that.
func (n *session) mark(ctx context.Context, sub subject) (string, error) {
	if !n.super {
		return "", nil
	}
	mark, err := one[string](ctx, n, `
		SELECT concat_ws(' ', pg_postmaster_start_time(), pg_conf_load_time(),
			(SELECT string_agg(concat(oid, '/', xmin, '/', rolvaliduntil <= now()), ' ' ORDER BY oid) FROM pg_authid WHERE rolname IN ($1, $2)),
			(SELECT md5(string_agg(concat(roleid, '/', member, '/', xmin), ' ' ORDER BY roleid, member)) FROM pg_auth_members),
			(SELECT md5(string_agg(concat(setdatabase, '/', setrole, '/', xmin), ' ' ORDER BY setdatabase, setrole)) FROM pg_db_role_setting),
			(SELECT md5(string_agg(concat(oid, '/', xmin), ' ' ORDER BY oid)) FROM pg_database))`, sub.c.ID, sub.owner)
	return mark, wrap(err, "reading what decides about logins at %s", n.node.Name)
}
