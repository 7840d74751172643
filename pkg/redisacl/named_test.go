package redisacl

import (
	"context"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A client chooses its own name. Connections that call themselves what this program calls its own are counted, hold Erase up, and are
// ended by Revoke, as all others are.
func TestNameOfAConnectionExemptsNothing(t *testing.T) {
	for _, name := range []string{Application, runs, "sentinel-0-cmd", ""} {
		t.Run("named "+name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, 2, redistest.Config{ACLFile: true})
			a.nodes[1].Do(t, "ACL", "SETUSER", "backend", "+client|setname")
			a.nodes[0].Do(t, "ACL", "SETUSER", "backend", "+client|setname")
			ctx := context.Background()
			a.next()
			thief := a.opened(a.nodes[1], a.current)
			a.must("naming it", thief.Do(ctx, "CLIENT", "SETNAME", name).Err())
			use, err := a.server.InUse(ctx, a.current)
			a.must("in use", err)
			if len(use.Sessions) != 1 || use.Sessions[0].Node != "redis-1" {
				t.Errorf("sessions: %+v, want that of the thief", use.Sessions)
			}
			if err := a.server.Erase(ctx, pass, a.current); err == nil || !strings.Contains(err.Error(), "connections of it are open") {
				t.Errorf("erase: %v", err)
			}
			a.must("revoke", a.server.Revoke(ctx, pass, a.current))
			if err := thief.Ping(ctx).Err(); err == nil {
				t.Error("the thief's connection outlived the revocation")
			}
		})
	}
}

// Whoever has thousands of connections with the name of a run keeps no run from its work, and no run ends them for that name.
func TestConnectionsNamedAsARunTakeNoTime(t *testing.T) {
	a := newApp(t, 1, redistest.Config{ACLFile: true})
	a.nodes[0].Do(t, "ACL", "SETUSER", "backend", "+client|setname")
	ctx := context.Background()
	thief := a.opened(a.nodes[0], a.current)
	a.must("naming it", thief.Do(ctx, "CLIENT", "SETNAME", runs).Err())
	a.server.Alone()
	a.stands(rotation.Credential{ID: a.current.ID}, rotation.Accepts, "")
	a.must("the connection of another user", thief.Ping(ctx).Err())
}
