package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres/postgrestest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// pair is a primary and its standby, both without TLS.
type pair struct {
	*app
	standby *postgrestest.Cluster
}

func newPair(t *testing.T) *pair {
	t.Helper()
	primary := postgrestest.For(t, postgrestest.Config{})
	standby := primary.StandbyFor(t)
	a := &app{Cluster: primary, t: t, owner: "backend", database: "postgres"}
	a.current = rotation.Credential{V: 1, ID: "backend", Value: rotation.NewSecret([]byte("first password"))}
	a.sql("postgres", "CREATE ROLE backend LOGIN PASSWORD 'first password'", "CREATE SCHEMA AUTHORIZATION backend")
	p := &pair{app: a, standby: standby}
	p.server = p.both()
	return p
}

func (p *pair) both() *Server {
	s := p.app.via(viaScram)
	s.ReplayWait = 200 * time.Millisecond
	s.Nodes = append(s.Nodes, Node{Name: "pg-1", Host: "127.0.0.1", Port: uint16(p.standby.Port)})
	return s
}

// replay stops or starts the standby's replaying.
func (p *pair) replay(on bool) {
	p.t.Helper()
	call := map[bool]string{true: "pg_wal_replay_resume", false: "pg_wal_replay_pause"}[on]
	p.standby.Exec(p.t, "postgres", fmt.Sprintf("SELECT %s()", call))
}

// eventually wants c to be treated in one way at both nodes before long.
func (p *pair) eventually(c rotation.Credential, want rotation.Status) {
	p.t.Helper()
	var places []rotation.Standing
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		var err error
		places, err = p.server.Standing(context.Background(), c)
		p.must("standing", err)
		if len(places) == 2 && places[0].Status == want && places[1].Status == want {
			return
		}
	}
	p.t.Errorf("%s: %v, want %s at both nodes", c.ID, places, want)
}

func TestStandbys(t *testing.T) {
	p := newPair(t)
	p.withoutTLS()
	ctx := context.Background()
	c := p.next()
	p.eventually(c, rotation.Accepts)

	p.replay(false)
	third, err := p.server.Generate(ctx, 3, p.current)
	p.must("generate", err)
	p.must("install", p.server.Install(ctx, pass, third))
	p.standsApart(third, rotation.Accepts, rotation.Unknown)
	p.replay(true)
	p.eventually(third, rotation.Accepts)

	p.replay(false)
	p.must("revoke", p.server.Revoke(ctx, pass, third))
	p.standsApart(third, rotation.Quarantined, rotation.Unknown)
	p.replay(true)
	p.eventually(third, rotation.Quarantined)
	p.must("erase", p.server.Erase(ctx, pass, third))
	p.eventually(third, rotation.Absent)

	p.sessionsAtStandby(c)
	p.failover(c)
}

// standsApart wants c to be treated differently at the primary and at the standby.
func (p *pair) standsApart(c rotation.Credential, primary, standby rotation.Status) {
	p.t.Helper()
	places, err := p.server.Standing(context.Background(), c)
	p.must("standing", err)
	if len(places) != 2 || places[0].Status != primary || places[1].Status != standby {
		p.t.Errorf("%s: %v, want %s and %s", c.ID, places, primary, standby)
	}
}

// sessionsAtStandby: a session at a standby is seen, keeps the login from being erased, and ends when it is revoked.
func (p *pair) sessionsAtStandby(c rotation.Credential) {
	p.t.Helper()
	ctx := context.Background()
	reader := *p.app
	reader.Cluster = p.standby
	conn := reader.opened(c)
	if got := p.uses(p.server, c); len(got) != 1 || got[0].Node != "pg-1" {
		p.t.Errorf("the sessions are %v, want one at pg-1", got)
	}
	if err := p.server.Erase(ctx, pass, c); !errors.Is(err, rotation.ErrNotYet) {
		p.t.Errorf("%v, want ErrNotYet", err)
	}
	p.must("revoke", p.server.Revoke(ctx, pass, c))
	if _, err := conn.Exec(ctx, "SELECT 1"); err == nil {
		p.t.Error("the session at the standby outlived its login's revocation")
	}
	p.must("install", p.server.Install(ctx, pass, c))
	p.eventually(c, rotation.Accepts)
}

// failover: without a primary nothing is done, the standby that is promoted takes over, and two primaries are refused.
func (p *pair) failover(c rotation.Credential) {
	p.t.Helper()
	ctx := context.Background()
	p.must("halt", p.Halt())
	err := p.server.Revoke(ctx, pass, c)
	if !errors.Is(err, rotation.ErrUnavailable) || !strings.Contains(err.Error(), "pg-1 is a standby") {
		p.t.Errorf("%v, want that there is no primary now", err)
	}
	alone := p.both()
	alone.Nodes = alone.Nodes[1:]
	if _, err := alone.Preflight(ctx, p.current); !errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), "no primary found: pg-1 is a standby") ||
		rotation.Hint(err) != "point at the primary, or wait until the failover is over" {
		p.t.Errorf("%v (%s), want a standby to be refused", err, rotation.Hint(err))
	}
	p.standby.Exec(p.t, "postgres", "SELECT pg_promote()")
	places, err := p.server.Standing(ctx, c)
	p.must("standing after the failover", err)
	if len(places) != 2 || places[0].Status != rotation.Accepts || places[1].Status != rotation.Unknown || places[1].Where != "pg-0" {
		p.t.Errorf("%v, want the new primary to accept and the old one to be unknown", places)
	}
	if use, err := p.server.InUse(ctx, c); err != nil || len(use.Silent) != 1 || use.Silent[0].Where != "pg-0" {
		p.t.Errorf("%+v, %v: who uses a node that is down is not known", use, err)
	}
	if err := p.server.Erase(ctx, pass, c); !errors.Is(err, rotation.ErrUnavailable) {
		p.t.Errorf("%v: erased, although a node was not looked at", err)
	}
	p.must("resume", p.Resume())
	if _, err := p.server.Standing(ctx, c); err == nil || !strings.Contains(err.Error(), "both pg-0 and pg-1") {
		p.t.Errorf("%v, want two primaries to be an error", err)
	}
}

// withoutTLS: a server that has none is talked to plainly, on the same connection, unless TLS is asked for.
func (p *pair) withoutTLS() {
	p.t.Helper()
	strict := p.both()
	strict.TLS.Mode = TLSRequire
	_, err := strict.InUse(context.Background(), p.current)
	if err == nil || !strings.Contains(err.Error(), "no TLS") || errors.Is(err, rotation.ErrUnavailable) {
		p.t.Errorf("%v, want that the server has no TLS", err)
	}
	dials, dial := 0, p.server.Nodes[0].Dial
	p.server.Nodes[0].Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials++
		return dial(ctx, network, address)
	}
	p.uses(p.server, p.current)
	if dials != 1 {
		p.t.Errorf("%d connections were made for one", dials)
	}
}
