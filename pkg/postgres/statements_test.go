package postgres

import (
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/postgres/postgrestest"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// A verifier is as good as a password to whoever has overheard one login: the extension that keeps statements, here those within others
// too, keeps none.
func TestVerifierIsInNoKeptStatement(t *testing.T) {
	a := &app{
		Cluster: postgrestest.For(t, postgrestest.Config{Settings: map[string]string{
			"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all",
		}}),
		t: t, owner: "backend", database: "postgres",
	}
	a.current = rotation.Credential{V: 1, ID: "backend", Value: rotation.NewSecret([]byte("first password"))}
	a.sql("postgres", "CREATE EXTENSION pg_stat_statements", "CREATE ROLE backend LOGIN", "ALTER ROLE backend PASSWORD 'SCRAM-SHA-256$in a test'")
	a.server = a.via(viaScram)
	const kept = "SELECT count(*)::text FROM pg_stat_statements WHERE query LIKE '%' || $1 || '%'"
	if got := a.Value(t, "postgres", kept, "SCRAM-SHA-256$in a"); got == "0" {
		t.Fatal("it keeps no statement: the test would prove nothing")
	}
	a.sql("postgres", "ALTER ROLE backend PASSWORD 'first password'", "SELECT pg_stat_statements_reset()")
	c := a.next()
	if got := a.Value(t, "postgres", kept, "SCRAM-SHA-256$"); got != "0" {
		t.Errorf("%s statements with a verifier are kept", got)
	}
	a.stands(a.server, c, rotation.Accepts, "login as backend_v2")
}
