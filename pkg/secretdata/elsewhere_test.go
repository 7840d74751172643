package secretdata

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLocate(t *testing.T) {
	c := cred(1, "backend", "s3cret-and-long")
	for _, x := range []struct {
		name   string
		data   map[string][]byte
		layout Layout
		keys   []string
	}{
		{"two keys", secret("PGUSER", "backend", "PGPASSWORD", "s3cret-and-long\n", "host", "db"), Layout{Username: "PGUSER", Password: "PGPASSWORD"}, []string{"PGPASSWORD"}},
		{"two keys and a connection string", secret("u", "backend", "p", "s3cret-and-long", "url", "postgres://backend:s3cret-and-long@db/app"),
			Layout{Username: "u", Password: "p"}, []string{"p", "url"}},
		{"a connection string", secret("url", "postgres://backend:s3cret-and-long@db/app"), Layout{DSN: "url"}, []string{"url"}},
		{"another form", secret("auth", "YmFja2VuZDpzM2NyZXQtYW5kLWxvbmc="), Layout{}, []string{"auth"}},
		{"a login of the same name elsewhere", secret("username", "backend", "password", "of-redis"), Layout{Username: "username"}, nil},
		{"a hash, as a server is given at its first start", secret("backend", "md5529b67d6780b5547122abccb1a8e2e1e"), Layout{}, nil},
		{"nothing of it", secret("token", "abc"), Layout{}, nil},
	} {
		t.Run(x.name, func(t *testing.T) {
			l, keys := Locate(x.data, c)
			if diff := cmp.Diff(x.layout, l) + cmp.Diff(x.keys, keys); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		text string
		want bool
	}{
		{"backend", true},
		{"backend\n", true},
		{"postgres://backend:$(PASSWORD)@db/app", true},
		{"postgres://$(USERNAME):$(PASSWORD)@db/app", false},
		{"host=db user=backend dbname=app", true},
		{"jdbc:postgresql://db/app?user=backend", true},
		{"spring.datasource.url=x\nspring.datasource.username=backend\n", true},
		{"database:\n  user: \"backend\"\n  host: db\n", true},
		{`{"user":"backend","host":"db"}`, true},
		{"primary: postgres://backend@db/app", true},
		{"backend_v2", false},
		{"http://backend/health", false},
		{"the backend of the shop", false},
		{"postgres://db/backend", false},
		{"user: backends", false},
		{"app: backend\nlevel: debug", false},
		{"user: Backend", false},
	} {
		if got := Names(c.text, "backend"); got != c.want {
			t.Errorf("%q names the login: %v, want %v", c.text, got, c.want)
		}
	}
}
