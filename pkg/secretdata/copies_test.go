package secretdata

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// generated is a password as this program makes them, typed one that a person may have chosen.
const (
	generated = "Zq0v8J3mXr5TbN2kLh7YwPc4SdGf6UaEi1RoVxQtMzB"
	typed     = "p@ss w\"rd/1"
)

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func md5Hex(text string) string { return fmt.Sprintf("%x", md5.Sum([]byte(text))) }

func TestCopiesStopTheRewrite(t *testing.T) {
	for _, password := range []string{generated, typed} {
		for _, c := range []struct{ name, value, form string }{
			{"plain", password, "plain text"},
			{"plain with a newline", password + "\n", "plain text"},
			{"in a file of settings", "db.user=backend\ndb.password=" + password + "\n", "inside a longer text"},
			{"in a URL of another form", "jdbc:oracle:thin:backend/" + password + "@db:1521:x", "inside a longer text"},
			{"a second URL after the first", "postgres://other:x@a/b,postgres://backend:" + password + "@c/d", "inside a longer text"},
			{"where the login belongs", "custom://" + url.QueryEscape(password) + "@db", ""},
			{"under a name that is not known", `{"user":"other","password":"x","token":"` + strings.ReplaceAll(password, `"`, `\"`) + `"}`, ""},
			{"beside two logins", `{"user":"other","username":"backend","password":"` + strings.ReplaceAll(password, `"`, `\"`) + `"}`, ""},
			{"URL-encoded", "token " + url.QueryEscape(password+"&"), ""},
			{"base64", b64(password), "base64"},
			{"base64, one byte on", b64("x" + password), "base64"},
			{"base64, two bytes on", b64("xy" + password + "z"), "base64"},
			{"base64 of login and password, in JSON", `{"auths":{"registry":{"auth":"` + b64("backend:"+password) + `"}}}`, "base64"},
			{"base64 in base64", b64(b64("backend:" + password)), "base64"},
			{"base64 for URLs", "x " + base64.RawURLEncoding.EncodeToString([]byte("\xff\xfe"+password)), "base64"},
			{"base64 in lines", b64("a long line before " + password)[:30] + "\n" + b64("a long line before " + password)[30:], "base64"},
			{"base64 of a connection string", b64("postgres://backend:" + url.QueryEscape(password) + "@db/app"), "base64"},
			{"hexadecimal", hex.EncodeToString([]byte(password)), "hexadecimal"},
			{"hexadecimal, upper case, after a digit", "0" + strings.ToUpper(hex.EncodeToString([]byte(password))), "hexadecimal"},
			{"a list of PgBouncer's", `"backend" "md5` + md5Hex(password+"backend") + `"`, "an MD5 hash of PostgreSQL's"},
			{"a list of PgBouncer's with a verifier", `"backend" "` + scramOf(t, password) + `"`, "a SCRAM-SHA-256 verifier"},
			{"a file of Redis users", fmt.Sprintf("user backend on #%x ~* +@all", sha256.Sum256([]byte(password))), "a SHA-256 hash"},
		} {
			t.Run(c.name, func(t *testing.T) { refuses(t, password, c.value, c.form) })
		}
	}
}

// refuses wants an error that names the key and the form, and not the password.
func refuses(t *testing.T, password, value, form string) {
	t.Helper()
	data := secret("username", "backend", "password", password, "odd", value)
	got, err := usual.Render(rotation.View{Active: 2}, live(cred(2, "backend_v2", "new-s3cret")), data)
	if err == nil {
		t.Fatalf("it changes %v", texts(got))
	}
	text := err.Error() + rotation.Hint(err)
	if !strings.HasPrefix(err.Error(), "key odd holds a copy of the password") || !strings.HasSuffix(err.Error(), form) || rotation.Hint(err) == "" {
		t.Errorf("got %v", err)
	}
	if strings.Contains(text, password) || strings.Contains(text, value) {
		t.Errorf("the error shows the password: %v", err)
	}
	if err := usual.Check(data); err == nil {
		t.Error("Check sees nothing wrong")
	}
}

// scramOf is a verifier for password, as PostgreSQL stores it.
func scramOf(t *testing.T, password string) string {
	salt := []byte("sixteen bytes of")
	salted, err := pbkdf2.Key(sha256.New, password, salt, 4096, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	mac := func(text string) []byte {
		m := hmac.New(sha256.New, salted)
		m.Write([]byte(text))
		return m.Sum(nil)
	}
	stored := sha256.Sum256(mac("Client Key"))
	return fmt.Sprintf("SCRAM-SHA-256$4096:%s$%s:%s", b64(string(salt)), b64(string(stored[:])), b64(string(mac("Server Key"))))
}

// What only looks like a copy must not stop anybody, least of all those with the weakest passwords.
func TestCoincidences(t *testing.T) {
	for _, c := range []struct{ password, key, value string }{
		{"postgres", "url", "postgres://backend:postgres@postgres:5432/postgres?application_name=postgres"},
		{"postgres", "dsn", "host=postgres dbname=postgres user=backend password=postgres"},
		{"postgres", "app.json", `{"engine":"postgres","host":"postgres","user":"backend","password":"postgres","dbname":"postgres"}`},
		{"postgres", "host", "postgres"},
		{"postgres", "POSTGRES_DB", "postgres\n"},
		{"backend", "url", "postgres://backend:backend@backend-db/backend"},
		{"app", "note", "happy path"},
		{"app", "url", "https://example.com/apple"},
		{"pw", "ca.crt", "-----BEGIN CERTIFICATE-----\n" + b64(strings.Repeat("pwned certificate ", 40)) + "\n-----END CERTIFICATE-----\n"},
		{"1234", "port", "1234"},
		{generated, "other", "postgres://other:" + generated + "@db/app"},
		{generated, "unrelated", b64(strings.Repeat("something else ", 1000))},
	} {
		data := secret("username", "backend", "password", c.password, c.key, c.value)
		if _, err := usual.Render(rotation.View{Active: 2}, live(cred(2, "backend_v2", "new-s3cret")), data); err != nil {
			t.Errorf("password %q in %q: %v", c.password, c.value, err)
		}
	}
}

func TestCopyOfTheLogin(t *testing.T) {
	data := secret("username", "backend", "password", "old-s3cret", "PGUSER", "backend\n")
	_, err := usual.Render(rotation.View{Active: 2}, live(cred(2, "backend_v2", "new-s3cret")), data)
	want := "key PGUSER holds the login backend too, and nothing says that it belongs to the rotated one"
	if err == nil || err.Error() != want || rotation.Hint(err) == "" {
		t.Errorf("got %v", err)
	}
	if _, err := usual.Render(rotation.View{Active: 2}, live(cred(2, "backend", "new-s3cret")), data); err != nil {
		t.Errorf("the login stays, and yet: %v", err)
	}
}

// A value of an earlier version that was overlooked is a copy too.
func TestCopyOfAnotherLiveVersion(t *testing.T) {
	data := secret("username", "backend_v2", "password", "middle-s3cret", "odd", b64("old-s3cret"))
	all := live(cred(1, "backend", "old-s3cret"), cred(2, "backend_v2", "middle-s3cret"), cred(3, "backend_v3", "new-s3cret"))
	_, err := usual.Render(rotation.View{Active: 3}, all, data)
	if err == nil || !strings.HasSuffix(err.Error(), "base64") {
		t.Errorf("got %v", err)
	}
}

// A Secret may be one megabyte, and the search has to end.
func TestSearchOfALargeValue(t *testing.T) {
	data := secret("username", "backend", "password", generated, "bundle", strings.Repeat(b64("0123456789abcdef\\u0041%41&amp;")+"\n", 20_000))
	if _, err := usual.Render(rotation.View{Active: 2}, live(cred(2, "backend_v2", "new-s3cret")), data); err != nil {
		t.Error(err)
	}
}

// A connection string of another live version with a password that nobody knows is no straggler: somebody is at work there.
func TestUnknownPasswordOfALiveLogin(t *testing.T) {
	data := secret("username", "backend_v2", "password", "middle-s3cret", "url", "postgres://backend:odd-s3cret@db/app")
	all := live(cred(1, "backend", "old-s3cret"), cred(2, "backend_v2", "middle-s3cret"), cred(3, "backend_v3", "new-s3cret"))
	_, err := usual.Render(rotation.View{Active: 3}, all, data)
	if err == nil || err.Error() != "key url holds a password of the login backend that is on no record" {
		t.Errorf("got %v", err)
	}
}
