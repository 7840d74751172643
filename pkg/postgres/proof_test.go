package postgres

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A login is tried again as soon as anything has changed that it depends on, and not before: each is a connection, which some ways take
// long to make.
func TestALoginIsTriedAgainWhenSomethingHasChanged(t *testing.T) {
	a := newApp(t)
	ctx := context.Background()
	c := a.next()
	var dials atomic.Int32
	server := a.via(viaScram)
	dial := server.Nodes[0].Dial
	server.Nodes[0].Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		dials.Add(1)
		return dial(ctx, network, address)
	}
	tries := func(c rotation.Credential) int32 {
		t.Helper()
		before := dials.Load()
		_, err := server.Standing(ctx, c)
		a.must("standing", err)
		return dials.Load() - before
	}
	tries(c)
	if n := tries(c); n != 0 {
		t.Errorf("%d connections for a login that was proven just now", n)
	}
	if n := tries(wrongly(c)); n == 0 {
		t.Error("another password counts as proven")
	}
	for _, change := range []string{
		fmt.Sprintf("ALTER ROLE %s CONNECTION LIMIT 7", ident(c.ID)),
		fmt.Sprintf("ALTER ROLE %s SET lock_timeout TO '7s'", ident(c.ID)),
		fmt.Sprintf("GRANT pg_monitor TO %s", ident(c.ID)),
		fmt.Sprintf("GRANT CONNECT ON DATABASE %s TO %s", ident(a.database), ident(c.ID)),
	} {
		tries(c)
		a.sql("postgres", change)
		if tries(c) == 0 {
			t.Errorf("a login counts as proven after %s", change)
		}
	}
	tries(c)
	hba := filepath.Join(a.Data, "pg_hba.conf")
	text, err := os.ReadFile(hba)
	a.must("reading pg_hba.conf", err)
	loaded := a.Value(t, "postgres", "SELECT pg_conf_load_time()::text")
	a.must("writing pg_hba.conf", os.WriteFile(hba, append([]byte(fmt.Sprintf("host all %s 127.0.0.0/8 reject\n", ident(c.ID))), text...), 0o600))
	t.Cleanup(func() {
		a.must("restoring pg_hba.conf", os.WriteFile(hba, text, 0o600))
		a.must("reload", a.Reload())
	})
	a.must("reload", a.Reload())
	a.waits("the server has loaded its configuration", func() bool {
		return a.Value(t, "postgres", "SELECT pg_conf_load_time()::text") != loaded
	})
	a.stands(server, c, rotation.Unproven, "pg_hba.conf rejects connection")

	a.must("restoring pg_hba.conf", os.WriteFile(hba, text, 0o600))
	a.must("reload", a.Reload())
	a.waits("the server lets it in again", func() bool { return tries(c) == 0 })
	for key, p := range server.proofs.all {
		p.at = time.Now().Add(-proofAge)
		server.proofs.all[key] = p
	}
	if tries(c) == 0 {
		t.Error("a login counts as proven for ever")
	}
}
