package secretdata

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func bcryptOf(t *testing.T, password string, cost int) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		t.Fatal(err)
	}
	return string(hash)
}

// A file of htpasswd beside the password would go on accepting the old one.
func TestBcryptOfThePasswordIsACopy(t *testing.T) {
	const password = "kT9aZq2Vw8xN5mB7pL3c"
	other, own := bcryptOf(t, "another password", bcrypt.MinCost), bcryptOf(t, password, 10)
	for name, c := range map[string]struct {
		text string
		want bool
	}{
		"htpasswd":         {"admin:" + other + "\nbackend:" + own + "\n", true},
		"Apache's version": {"backend:" + strings.Replace(own, "$2a$", "$2y$", 1), true},
		"of others only":   {"admin:" + other + "\n", false},
		"half a hash":      {own[:40], false},
	} {
		if got := Holds(c.text, "backend", password); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	data := map[string][]byte{"username": []byte("backend"), "password": []byte(password), "auth": []byte("backend:" + own)}
	if err := (Layout{Username: "username", Password: "password"}).Check(data); err == nil || !strings.Contains(err.Error(), "a bcrypt hash") {
		t.Errorf("got %v", err)
	}
}

// Whoever writes a text decides how many hashes are in it, and how slow. That costs no more than a moment, and what was not compared is
// never taken for something else.
func TestHashesCostNoMoreThanAMoment(t *testing.T) {
	const password = "kT9aZq2Vw8xN5mB7pL3c"
	slow := "SCRAM-SHA-256$999999:c2FsdHNhbHRzYWx0c2E=$c3RvcmVk:c2VydmVy "
	for name, text := range map[string]string{
		"slow verifiers":       strings.Repeat(slow, 11_000),
		"fast verifiers":       strings.Repeat("SCRAM-SHA-256$99999:c2FsdHNhbHRzYWx0c2E=$c3RvcmVk:c2VydmVy ", 11_000),
		"absurd verifiers":     "SCRAM-SHA-256$99999999999999999999:c2FsdA==$c3RvcmVk:c2VydmVy",
		"no iterations":        "SCRAM-SHA-256$0:c2FsdA==$c3RvcmVk:c2VydmVy",
		"slow bcrypt":          strings.Repeat(strings.Replace(bcryptOf(t, "x", 4), "$04$", "$31$", 1)+" ", 1000),
		"many bcrypt":          strings.Repeat(strings.Replace(bcryptOf(t, "x", 4), "$04$", "$12$", 1)+" ", 1000),
		"bcrypt with bad cost": strings.Replace(bcryptOf(t, "x", 4), "$04$", "$03$", 1),
		"crypt":                "backend:$6$rounds=5000$saltsaltsalt$abcdefghijklmnop", "yescrypt": "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o",
		"md5-crypt": "$1$saltsalt$abcdefghijklmnop", "Apache": "$apr1$saltsalt$abcdefghijklmnop", "sha256-crypt": "$5$saltsalt$abcdefghijk",
		"argon2": "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA", "LDAP": "{SSHA}abcdefgh", "Django": "pbkdf2_sha256$260000$salt$hash",
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			if !Holds(text, "backend", password) {
				t.Error("what was not compared counts as harmless")
			}
			l := Layout{Username: "username", Password: "password"}
			data := map[string][]byte{"username": []byte("backend"), "password": []byte(password), "a": []byte(text), "b": []byte(text), "c": []byte("fine")}
			if err := l.Check(data); err != nil {
				t.Error(err)
			}
			if got := fmt.Sprint(l.Remarks(data)); !strings.Contains(got, "key a holds hashes") || !strings.Contains(got, "key b holds hashes") || strings.Contains(got, "key c") {
				t.Errorf("it is not said: %s", got)
			}
			if took := time.Since(begun); took > 10*time.Minute { // without a bound it is an hour
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A userlist of PgBouncer's with many users is compared whole.
func TestAListOfVerifiersIsComparedWhole(t *testing.T) {
	const password = "kT9aZq2Vw8xN5mB7pL3c"
	var list strings.Builder
	for i := range 200 {
		fmt.Fprintf(&list, "%q %q\n", fmt.Sprint("user", i), scramOf(t, fmt.Sprint("password of ", i)))
	}
	if Holds(list.String(), "backend", password) {
		t.Error("others' verifiers are taken for the password's")
	}
	list.WriteString(scramOf(t, password))
	var e effort
	if form, found := e.findCopy(list.String(), "backend", password); !found || form != "a SCRAM-SHA-256 verifier" {
		t.Errorf("got %q, %v", form, found)
	}
}
