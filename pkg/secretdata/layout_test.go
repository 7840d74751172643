package secretdata

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// usual is the layout of nearly every Secret.
var usual = Layout{Username: "username", Password: "password"}

// nasty is a password with every character that some encoding has to treat with care.
const nasty = "p+w %/@:?#&='\"\\$<>{}[]|`~^,;!*() é漢\t%41"

func cred(v rotation.Version, id, password string) rotation.Credential {
	return rotation.Credential{V: v, ID: id, Value: rotation.NewSecret([]byte(password))}
}

func live(cs ...rotation.Credential) map[rotation.Version]rotation.Credential {
	m := map[rotation.Version]rotation.Credential{}
	for _, c := range cs {
		m[c.V] = c
	}
	return m
}

// secret is the data of a Secret, in pairs of key and value.
func secret(pairs ...string) map[string][]byte {
	data := map[string][]byte{}
	for i := 0; i < len(pairs); i += 2 {
		data[pairs[i]] = []byte(pairs[i+1])
	}
	return data
}

// texts makes data readable in a diff.
func texts(data map[string][]byte) map[string]string {
	m := map[string]string{}
	for k, v := range data {
		m[k] = string(v)
	}
	return m
}

// merge is data with the changed keys in it.
func merge(data, changed map[string][]byte) map[string][]byte {
	all := map[string][]byte{}
	for _, m := range []map[string][]byte{data, changed} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name         string
		layout       Layout
		data         map[string][]byte
		id, password string
	}{
		{"two keys", usual, secret("username", "backend", "password", "s3cret", "host", "db"), "backend", "s3cret"},
		{"a fixed login", Layout{Login: "default", Password: "redis-password"}, secret("redis-password", "s3cret"), "default", "s3cret"},
		{"a connection string alone", Layout{DSN: "DATABASE_URL"}, secret("DATABASE_URL", "postgres://backend:s3%2Fcret@db/app"), "backend", "s3/cret"},
		{"one login of several in a document", Layout{DSN: "config.json", Login: "backend"},
			secret("config.json", `{"a":{"user":"other","password":"x"},"b":{"user":"backend","password":"s3cret"}}`), "backend", "s3cret"},
		{"a newline after the login is not part of it", usual, secret("username", "backend\n", "password", "s3cret"), "backend", "s3cret"},
		{"a newline after the password may be", usual, secret("username", "backend", "password", "s3cret\n"), "backend", "s3cret\n"},
		{"a connection string shows that it is not", usual,
			secret("username", "backend", "password", "s3cret\n", "url", "postgres://backend:s3cret@db/app"), "backend", "s3cret"},
		{"bytes that are no text", usual, secret("username", "backend", "password", "\xff\x00\xfe"), "backend", "\xff\x00\xfe"},
		{"a copy", Layout{Username: "username", Password: "password", Copies: []string{"PGUSER", "PGPASSWORD"}},
			secret("username", "backend", "password", "s3cret", "PGUSER", "backend\n", "PGPASSWORD", "s3cret"), "backend", "s3cret"},
		{"a connection string with a reference for the password", usual,
			secret("username", "backend", "password", "s3cret", "url", "postgres://backend:$(PASSWORD)@db/app"), "backend", "s3cret"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.layout.Parse(c.data)
			if err != nil {
				t.Fatal(err)
			}
			if got.V != 0 || got.ID != c.id || string(got.Value.Reveal()) != c.password {
				t.Errorf("got %v %q %q", got.V, got.ID, got.Value.Reveal())
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		name   string
		layout Layout
		data   map[string][]byte
		want   string
	}{
		{"no username key", usual, secret("user", "backend", "password", "s3cret"),
			"there is no key username in the Secret: it holds password, user"},
		{"no data", usual, nil, "there is no key username in the Secret: it holds nothing"},
		{"an empty password", usual, secret("username", "backend", "password", ""), "key password of the Secret is empty"},
		{"an empty login", usual, secret("username", "\n", "password", "s3cret"), "the layout of the Secret says neither a login nor its key"},
		{"an empty layout", Layout{}, secret("username", "backend"), "the layout of the Secret names no key of a password"},
		{"another password in a URL", usual,
			secret("username", "backend", "password", "s3cret", "url", "postgres://backend:other@db/app"),
			"keys password and url hold different passwords of the login backend"},
		{"another password in a document", usual,
			secret("username", "backend", "password", "s3cret", "app.json", `{"db":{"user":"backend","password":"other"}}`),
			"keys password and app.json hold different passwords of the login backend"},
		{"two logins and no word which", Layout{DSN: "app.json"},
			secret("app.json", `[{"user":"a","password":"x"},{"user":"b","password":"y"}]`),
			"key app.json holds more than one login, or more than one password of it"},
		{"a connection string without a password", Layout{DSN: "url"}, secret("url", "postgres://backend@db/app"),
			"key url holds no login with a password"},
		{"no connection string", Layout{DSN: "url"}, secret("url", "s3cret"),
			"key url holds no connection string of a form that is understood"},
		{"a copy that is none", Layout{Username: "username", Password: "password", Copies: []string{"other"}},
			secret("username", "backend", "password", "s3cret", "other", "x"),
			"key other is said to be a copy, and is neither the login nor the password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.layout.Parse(c.data)
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
			if err != nil && strings.Contains(err.Error()+rotation.Hint(err), "s3cret") {
				t.Errorf("the error shows the password: %v", err)
			}
		})
	}
}

func TestRenderOwnKeys(t *testing.T) {
	v1, v2 := cred(1, "backend", "old-s3cret"), cred(2, "backend_v2", "new-s3cret")
	for _, c := range []struct {
		name       string
		layout     Layout
		data, want map[string][]byte
	}{
		{"two keys", usual, secret("username", "backend", "password", "old-s3cret", "host", "db"),
			secret("username", "backend_v2", "password", "new-s3cret")},
		{"a newline after the login stays", usual, secret("username", "backend\r\n", "password", "old-s3cret"),
			secret("username", "backend_v2\r\n", "password", "new-s3cret")},
		{"a newline after the password goes", usual, secret("username", "backend", "password", "old-s3cret\n"),
			secret("username", "backend_v2", "password", "new-s3cret")},
		{"copies", Layout{Username: "username", Password: "password", Copies: []string{"PGUSER", "PGPASSWORD"}},
			secret("username", "backend", "password", "old-s3cret", "PGUSER", "backend\n", "PGPASSWORD", "old-s3cret\n"),
			secret("username", "backend_v2", "password", "new-s3cret", "PGUSER", "backend_v2\n", "PGPASSWORD", "new-s3cret")},
		{"a key to ignore", Layout{Username: "username", Password: "password", Ignore: []string{"note"}},
			secret("username", "backend", "password", "old-s3cret", "note", "was old-s3cret"),
			secret("username", "backend_v2", "password", "new-s3cret")},
		{"a connection string alone", Layout{DSN: "url"}, secret("url", "postgres://backend:old-s3cret@db/app"),
			secret("url", "postgres://backend_v2:new-s3cret@db/app")},
		{"nothing to do", usual, secret("username", "backend_v2", "password", "new-s3cret"), secret()},
		{"one string was left behind", usual,
			secret("username", "backend_v2", "password", "new-s3cret", "url", "postgres://backend:old-s3cret@db/app"),
			secret("url", "postgres://backend_v2:new-s3cret@db/app")},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.layout.Render(rotation.View{Active: 2}, live(v1, v2), c.data)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(texts(c.want), texts(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRenderNeedsTheValue(t *testing.T) {
	_, err := usual.Render(rotation.View{Active: 2}, live(cred(1, "backend", "x")), secret("username", "backend", "password", "x"))
	if err == nil || err.Error() != "rendering v2: its value is not on record" {
		t.Errorf("got %v", err)
	}
}

// A login that stands nowhere in the Secret stays what consumers use: only a rotation that keeps it can be rendered.
func TestRenderFixedLogin(t *testing.T) {
	for _, c := range []struct {
		layout      Layout
		key         string
		data, after string
	}{
		{Layout{Login: "default", Password: "password"}, "password", "old-s3cret", "new-s3cret"},
		{Layout{Login: "default", DSN: "url"}, "url", "postgres://:old-s3cret@db/app", "postgres://:new-s3cret@db/app"},
	} {
		data := secret(c.key, c.data)
		got, err := c.layout.Render(rotation.View{Active: 2}, live(cred(2, "default", "new-s3cret")), data)
		if diff := cmp.Diff(map[string]string{c.key: c.after}, texts(got)); err != nil || diff != "" {
			t.Error(err, diff)
		}
		_, err = c.layout.Render(rotation.View{Active: 2}, live(cred(2, "other", "new-s3cret")), data)
		want := "the login default stands outside the Secret: it cannot change to other together with the password"
		if err == nil || err.Error() != want || rotation.Hint(err) == "" {
			t.Errorf("a new login was accepted: %v", err)
		}
		if err := c.layout.CheckLogin(data); err == nil || !strings.Contains(err.Error(), "the login default stands outside the Secret") {
			t.Errorf("that the login cannot change is not known beforehand: %v", err)
		}
		keys, err := c.layout.Keys(data)
		if diff := cmp.Diff([]string{c.key}, keys); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
}

// Two passwords that one reading of a plus sign confuses are still two.
func TestPlusAndSpace(t *testing.T) {
	data := secret("username", "backend", "password", "a+b", "url", "postgres://backend:a+b@db/app")
	got, err := usual.Render(rotation.View{Active: 2}, live(cred(2, "backend_v2", "a b")), data)
	want := map[string]string{"username": "backend_v2", "password": "a b", "url": "postgres://backend_v2:a%20b@db/app"}
	if diff := cmp.Diff(want, texts(got)); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestKeysAndRemarks(t *testing.T) {
	data := secret("username", "backend\n", "password", "old-s3cret\n", "url", "redis://backend:old-s3cret%0A@r", "other", "postgres://x:y@db")
	got, err := usual.Keys(data)
	if diff := cmp.Diff([]string{"password", "url", "username"}, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	want := []string{
		"key password ends in a newline, which was taken as part of the password; the next one is written without",
		"key username ends in a newline, which is kept and not taken as part of the login",
	}
	if diff := cmp.Diff(want, usual.Remarks(data)); diff != "" {
		t.Error(diff)
	}
}
