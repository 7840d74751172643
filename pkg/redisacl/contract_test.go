package redisacl

import (
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/redisacl/redistest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotationtest"
)

func TestServerContract(t *testing.T) {
	for _, c := range []struct {
		name   string
		nodes  int
		config redistest.Config
	}{
		{"with an ACL file", 1, redistest.Config{ACLFile: true}},
		{"with users in redis.conf", 1, redistest.Config{}},
		{"with users in memory alone", 1, redistest.Config{Volatile: true}},
		{"over TLS", 1, redistest.Config{ACLFile: true, TLS: certificate(t)}},
		{"with two replicas", 3, redistest.Config{ACLFile: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rotationtest.Server(t, func(t *testing.T) rotationtest.ServerFixture {
				return newApp(t, c.nodes, c.config).contract()
			})
		})
	}
}

// Valkey 8 is another server by now, with the same protocol.
func TestServerContractAtValkey(t *testing.T) {
	t.Parallel()
	c := redistest.Config{ACLFile: true, Program: redistest.Valkey(t)}
	rotationtest.Server(t, func(t *testing.T) rotationtest.ServerFixture { return newApp(t, 2, c).contract() })
}

// The user is default, which is the administrator too.
func TestTwoPasswordsContract(t *testing.T) {
	for _, c := range []struct {
		name   string
		nodes  int
		config redistest.Config
	}{
		{"with an ACL file", 1, redistest.Config{ACLFile: true}},
		{"with users in redis.conf", 1, redistest.Config{}},
		{"with a replica", 2, redistest.Config{ACLFile: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rotationtest.Shared(t, func(t *testing.T) rotationtest.ServerFixture {
				a := newApp(t, c.nodes, c.config)
				a.onDefault()
				return a.contract()
			})
		})
	}
}
