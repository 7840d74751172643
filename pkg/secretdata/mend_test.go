package secretdata

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// What somebody else has made of a Secret in the middle of a rotation is brought to the version on record, which reads
// back as that one.
func TestMend(t *testing.T) {
	const url = "postgres://backend_v2:value-of-v2@db/app?sslmode=disable"
	right := secret("username", "backend_v2", "password", "value-of-v2", "url", url, "host", "db")
	versions := live(cred(1, "backend", "value-of-v1"), cred(2, "backend_v2", "value-of-v2"))
	for _, c := range []struct {
		name string
		data map[string][]byte
	}{
		{"the password alone", secret("username", "backend_v2", "password", "by hand 12", "url", url, "host", "db")},
		{"the password in the url alone", secret("username", "backend_v2", "password", "value-of-v2", "url", "postgres://backend_v2:by-hand@db/app?sslmode=disable", "host", "db")},
		{"back to the old password, and not the url", secret("username", "backend", "password", "value-of-v1", "url", url, "host", "db")},
		{"another login in all of it", secret("username", "admin", "password", "by hand 12", "url", "postgres://admin:by-hand@db/app?sslmode=disable", "host", "db")},
		{"the old url, with another password", secret("username", "backend_v2", "password", "value-of-v2", "url", "postgres://backend:by-hand@db/app?sslmode=disable", "host", "db")},
		{"no login at all", secret("url", url, "host", "db")},
	} {
		t.Run(c.name, func(t *testing.T) {
			changed, err := usual.Mend(rotation.View{Active: 2}, versions, c.data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(texts(right), texts(merge(c.data, changed))); diff != "" {
				t.Errorf("the data (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMendRefusesWhatItDoesNotUnderstand(t *testing.T) {
	versions := live(cred(1, "backend", "value-of-v1"), cred(2, "backend_v2", "value-of-v2"))
	copies := Layout{Username: "username", Password: "password", Copies: []string{"PGPASSWORD"}}
	for _, c := range []struct {
		name   string
		layout Layout
		data   map[string][]byte
		want   string
	}{
		{"a copy in another form", usual, secret("username", "backend", "password", "by hand 12", "auth", "YmFja2VuZDpieSBoYW5kIDEy"), "key auth holds a copy of the password"},
		{"a copy of nothing", copies, secret("username", "backend", "password", "by hand 12", "PGPASSWORD", "third"), "key PGPASSWORD is said to be a copy"},
	} {
		_, err := c.layout.Mend(rotation.View{Active: 2}, versions, c.data)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "by hand") {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
