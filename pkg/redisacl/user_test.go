package redisacl

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLinesOfUsersAreTakenApart(t *testing.T) {
	line := "user backend on sanitize-payload nopass #" + unfinished + " ~a b:* %R~c* resetchannels &d* -@all +get (~x* resetchannels -@all +set) &&new-rule"
	u, err := parseUser(line)
	if err != nil {
		t.Fatal(err)
	}
	want := user{
		name: "backend", on: true, nopass: true, hashes: []string{unfinished},
		rules: []string{"sanitize-payload", "~a", "b:*", "%R~c*", "resetchannels", "&d*", "-@all", "+get", "(~x* resetchannels -@all +set)", "&&new-rule"},
	}
	if diff := cmp.Diff(want, u, cmp.AllowUnexported(user{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestWhatIsNoLineOfAUserIsAnError(t *testing.T) {
	for _, line := range []string{"", "user", "acl backend on"} {
		if _, err := parseUser(line); err == nil {
			t.Errorf("%q was taken for a user", line)
		}
	}
}

// Nothing that a server may say in a word that is not known here may be lost on the way to the next user.
func FuzzNoWordIsDropped(f *testing.F) {
	f.Add("user backend on #ab ~x &y +@all (~z +get)")
	f.Add("user b off (( ) x")
	f.Add("user b on ~a(b #ab &:-) -@all (~x) (~y +get)")
	f.Fuzz(func(t *testing.T, line string) {
		u, err := parseUser(line)
		if err != nil {
			return
		}
		kept := strings.Fields(u.text())
		for _, w := range strings.Fields(strings.TrimPrefix(line, "user "+u.name)) {
			if w == "on" || w == "off" || w == "nopass" || strings.HasPrefix(w, "#") {
				continue
			}
			if !slices.Contains(kept, w) {
				t.Errorf("%q is not in %q", w, kept)
			}
		}
	})
}

// The server lists single commands in the order of a hash table, which differs from process to process.
func TestRulesAreComparedWhateverTheOrderOfCommands(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		alike      bool
	}{
		{"commands in another order", "~k -@all +get +set", "~k -@all +set +get", true},
		{"within a selector", "(~k -@all +get +set)", "(~k -@all +set +get)", true},
		{"around a category they stay", "+get -@read +set", "-@read +get +set", false},
		{"about one command they stay", "+config -config|set", "-config|set +config", false},
		{"keys stay", "~a ~b", "~b ~a", false},
		{"a command more", "-@all +get", "-@all +get +set", false},
	} {
		if got := canonical(split(c.a)) == canonical(split(c.b)); got != c.alike {
			t.Errorf("%s: alike is %v", c.name, got)
		}
	}
}
