package secretdata

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestServers(t *testing.T) {
	for _, c := range []struct {
		name, dsn string
		want      []Server
	}{
		{"URL", "postgres://backend:x@pgbouncer:6432/demo-platform?sslmode=disable", []Server{{"pgbouncer", "6432", "demo-platform"}}},
		{"without a port or a database", "postgres://backend:x@db", []Server{{"db", "", ""}}},
		{"several hosts", "postgres://backend:x@a:1,[::1]:2,c/Audit%2DLog", []Server{{"a", "1", "Audit-Log"}, {"::1", "2", "Audit-Log"}, {"c", "", "Audit-Log"}}},
		{"IPv6 without a port", "postgres://backend:x@[fd00::1]/d", []Server{{"fd00::1", "", "d"}}},
		{"hosts in the query", "postgres:///app?host=h&port=6432&user=backend&password=x", []Server{{"h", "6432", "app"}}},
		{"JDBC", "jdbc:postgresql://db:5433/app?user=backend&password=x", []Server{{"db", "5433", "app"}}},
		{"libpq", "host=a,b port=6432 dbname='my db' user=backend password=x", []Server{{"a", "6432", "my db"}, {"b", "6432", "my db"}}},
		{"JSON fields", `{"host":"db","port":5432,"username":"backend","password":"x","dbname":"app"}`, []Server{{"db", "5432", "app"}}},
		{"JSON with a URL", `{"url":"postgres://backend:x@p:6432/app"}`, []Server{{"p", "6432", "app"}}},
		{"a socket", "postgres:///app?host=/run/pg&user=backend&password=x", nil},
		{"a reference", "postgres://backend:x@$(HOST)/app", nil},
		{"another login", "postgres://other:y@db/app", nil},
		{"no connection string", "some text", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := usual.Servers(secret("username", "backend", "password", "x", "dsn", c.dsn))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// FuzzServers holds for any value: what is understood of it is read without a panic.
func FuzzServers(f *testing.F) {
	for _, form := range forms {
		f.Add(form.before)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if _, ok := recognise(value); !ok {
			return
		}
		servers(value)
	})
}
