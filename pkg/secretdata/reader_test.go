package secretdata

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// reader is a consumer: a connection string with a login and the password old-s3cret, and the password that the consumer takes from it.
type reader struct {
	name, before string
	password     func(text string) (string, error)
}

func readers() []reader {
	return []reader{
		{"net/url", "postgres://backend:old-s3cret@db/app", func(text string) (string, error) {
			u, err := url.Parse(text)
			if err != nil {
				return "", err
			}
			p, _ := u.User.Password()
			return p, nil
		}},
		{"net/url, query", "jdbc:postgresql://db/app?user=backend&password=old-s3cret", func(text string) (string, error) {
			u, err := url.Parse(strings.TrimPrefix(text, "jdbc:"))
			if err != nil {
				return "", err
			}
			return u.Query().Get("password"), nil
		}},
		{"encoding/json", `{"user":"backend","password":"old-s3cret"}`, func(text string) (string, error) {
			var v struct{ Password string }
			err := json.Unmarshal([]byte(text), &v)
			return v.Password, err
		}},
		{"pgx, URL", "postgres://backend:old-s3cret@db/app", pgxPassword},
		{"pgx, query", "postgres://db/app?user=backend&password=old-s3cret", pgxPassword},
		{"pgx, quoted", "host=db user=backend password='old-s3cret' dbname=app", pgxPassword},
		{"pgx, unquoted", "host=db user=backend password=old-s3cret dbname=app", pgxPassword},
		{"pgx, in JSON", `{"uri":"user=backend password='old-s3cret' host=db"}`, func(text string) (string, error) {
			var v struct{ URI string }
			if err := json.Unmarshal([]byte(text), &v); err != nil {
				return "", err
			}
			return pgxPassword(v.URI)
		}},
	}
}

func pgxPassword(text string) (string, error) {
	c, err := pgconn.ParseConfig(text)
	if err != nil {
		return "", err
	}
	return c.Password, nil
}

// reads renders password into the connection string of r, as r reads it, and gives the data.
func (r reader) reads(t *testing.T, password string) map[string][]byte {
	t.Helper()
	data := secret("username", "backend", "password", "old-s3cret", "dsn", r.before)
	changed, err := usual.Render(rotation.View{Active: 2}, live(cred(2, "backend_v2", password)), data)
	if err != nil {
		t.Fatalf("%s: %q: %v", r.name, password, err)
	}
	got, err := r.password(string(changed["dsn"]))
	if err != nil || got != password {
		t.Fatalf("%s: %q in %q reads as %q, %v", r.name, password, changed["dsn"], got, err)
	}
	return merge(data, changed)
}

// What is written reads back in the words of those who will read it, whatever character stands first, last, and between.
func TestNastyPasswords(t *testing.T) {
	for _, r := range readers() {
		t.Run(r.name, func(t *testing.T) {
			for i := range 0x180 {
				c := string(rune(i + 1)) // no server takes a zero byte
				r.reads(t, c+nasty+c)
			}
		})
	}
}

// FuzzPassword holds for any password and any consumer: what is written is what it reads, a rotation from it to
// another password is understood, and the way back gives the same bytes.
func FuzzPassword(f *testing.F) {
	for _, seed := range []string{"a", nasty, "%", "%zz", "+", " ", "'", `\`, `\'`, `"`, "${x}", "$(x)", "{{x}}", "a@b:c/d?e#f", "é", "\n", "x\n", "\u2028", "<&>", "old-s3cret"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, password string) {
		if password == "" || !utf8.ValidString(password) || strings.ContainsRune(password, 0) || isReference(password) {
			return
		}
		for _, r := range readers() {
			first := r.reads(t, password)
			all := live(cred(2, "backend_v2", password), cred(3, "backend_v3", "new-s3cret"))
			changed, err := usual.Render(rotation.View{Active: 3}, all, first)
			if err != nil {
				t.Fatalf("%s: from %q: %v", r.name, first["dsn"], err)
			}
			second := merge(first, changed)
			if got, err := r.password(string(second["dsn"])); err != nil || got != "new-s3cret" {
				t.Fatalf("%s: %q reads as %q, %v", r.name, second["dsn"], got, err)
			}
			changed, err = usual.Render(rotation.View{Active: 2}, all, second)
			if back := merge(second, changed); err != nil || string(back["dsn"]) != string(first["dsn"]) {
				t.Fatalf("%s: %q went to %q and came back as %q, %v", r.name, first["dsn"], second["dsn"], back["dsn"], err)
			}
		}
	})
}
