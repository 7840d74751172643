package jwtkeys

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

var runbook = Layout{Active: "active-key", Prefix: "jwt-secret-v"}

// strings of a Secret's data.
type text map[string]string

func (t text) data() map[string][]byte {
	data := map[string][]byte{}
	for key, value := range t {
		data[key] = []byte(value)
	}
	return data
}

// with is t after changes.
func (t text) with(changes map[string][]byte) text {
	next := maps.Clone(t)
	for key, value := range changes {
		next[key] = string(value)
		if value == nil {
			delete(next, key)
		}
	}
	return next
}

func key(v rotation.Version, id, value string) rotation.Credential {
	return rotation.Credential{V: v, ID: id, Value: rotation.NewSecret([]byte(value))}
}

// live are versions by their numbers.
func live(all ...rotation.Credential) map[rotation.Version]rotation.Credential {
	m := map[rotation.Version]rotation.Credential{}
	for _, c := range all {
		m[c.V] = c
	}
	return m
}

func view(active rotation.Version, accept ...rotation.Version) rotation.View {
	return rotation.View{Active: active, Accept: accept}
}

func TestParseFindsTheActiveKey(t *testing.T) {
	for name, c := range map[string]struct {
		layout Layout
		data   text
		want   string // the name of the key, or what is said
	}{
		"as in the runbook":            {runbook, text{"jwt-secret-v1": "one", "jwt-secret-v2": "two", "active-key": "jwt-secret-v2"}, "jwt-secret-v2"},
		"named with a newline":         {runbook, text{"jwt-secret-v1": "one", "active-key": "jwt-secret-v1\n"}, "jwt-secret-v1"},
		"named by the end of its name": {runbook, text{"jwt-secret-v2": "two", "jwt-secret-v12": "twelve", "active-key": "v2"}, "jwt-secret-v2"},
		"named by its number alone":    {runbook, text{"jwt-secret-v2": "two", "jwt-secret-v12": "twelve", "active-key": "2"}, "jwt-secret-v2"},
		"the only one":                 {Layout{Key: "jwt-secret"}, text{"jwt-secret": "one"}, "jwt-secret"},
		"named and missing":            {runbook, text{"jwt-secret-v1": "one", "active-key": "jwt-secret-v3"}, "names jwt-secret-v3 as the active one, and there is no such key"},
		"empty":                        {runbook, text{"jwt-secret-v1": "", "active-key": "jwt-secret-v1"}, "key jwt-secret-v1 is empty"},
		"not a signing key":            {runbook, text{"active-key": "primary", "primary": "one"}, "does not name a signing key"},
		"nothing names it":             {runbook, text{"jwt-secret": "one"}, "there is no key active-key"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := c.layout.Parse(c.data.data())
			if err == nil && got.ID == c.want || err != nil && strings.Contains(err.Error(), c.want) {
				return
			}
			t.Errorf("%s, %v; want %s", got.ID, err, c.want)
		})
	}
}

// A rotation from the first version to the second, write by write, as consumers see it.
func TestRenderWritesOneViewAfterTheOther(t *testing.T) {
	one, two := key(1, "jwt-secret-v1", "one"), key(2, "jwt-secret-v2", "two")
	was := text{"jwt-secret-v1": "one", "active-key": "jwt-secret-v1\n", "other": "kept"}
	for _, c := range []struct {
		view rotation.View
		want text
	}{
		{view(1, 1), was},
		{view(1, 1, 2), text{"jwt-secret-v1": "one", "jwt-secret-v2": "two", "active-key": "jwt-secret-v1\n", "other": "kept"}},
		{view(2, 1, 2), text{"jwt-secret-v1": "one", "jwt-secret-v2": "two", "active-key": "jwt-secret-v2\n", "other": "kept"}},
		{view(2, 2), text{"jwt-secret-v2": "two", "active-key": "jwt-secret-v2\n", "other": "kept"}},
	} {
		changes, err := runbook.Render(c.view, live(one, two), was.data())
		if err != nil {
			t.Fatal(err)
		}
		was = was.with(changes)
		if diff := cmp.Diff(c.want, was); diff != "" {
			t.Errorf("%v: %s", c.view, diff)
		}
	}
}

// Where consumers are handed keys by their names, those have to be there: one that is taken away is overwritten, in the
// same form, with what nobody signs with; writing it again changes nothing.
func TestRenderOverwritesWhatPodsNeedToStart(t *testing.T) {
	l := runbook
	l.Named = []string{"jwt-secret-v1", "jwt-secret-v2"}
	old, next := key(1, "jwt-secret-v1", strings.Repeat("ab", 32)), key(2, "jwt-secret-v2", strings.Repeat("cd", 32))
	was := text{"jwt-secret-v1": strings.Repeat("ab", 32), "jwt-secret-v2": strings.Repeat("cd", 32), "active-key": "jwt-secret-v2"}
	changes, err := l.Render(view(2, 2), live(old, next), was.data())
	if err != nil {
		t.Fatal(err)
	}
	now := was.with(changes)
	left := now["jwt-secret-v1"]
	if left == was["jwt-secret-v1"] || len(left) != 128 || strings.Trim(left, "0123456789abcdef") != "" {
		t.Errorf("the old key became %q, want 64 other bytes in hexadecimal", left)
	}
	again, err := l.Render(view(2, 2), live(next), now.data())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(now, now.with(again)); diff != "" {
		t.Errorf("rendered again: %s", diff)
	}
}

// A key on no record stays while two are accepted, since something may be signed with it, and goes with the old one.
func TestRenderTakesAllOtherKeysAwayAtTheEnd(t *testing.T) {
	one, two := key(1, "jwt-secret-v5", "one"), key(2, "jwt-secret-v6", "two")
	was := text{"jwt-secret-v4": "before", "jwt-secret-v5": "one", "active-key": "jwt-secret-v5"}
	changes, err := runbook.Render(view(1, 1, 2), live(one, two), was.data())
	if _, touched := changes["jwt-secret-v4"]; err != nil || touched {
		t.Errorf("publishing touches a key that is on no record (%v)", err)
	}
	changes, err = runbook.Render(view(2, 2), live(one, two), was.data())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(text{"jwt-secret-v6": "two", "active-key": "jwt-secret-v6"}, was.with(changes)); diff != "" {
		t.Error(diff)
	}
}

func TestRenderRefusesTwoKeysUnderOneName(t *testing.T) {
	l := Layout{Key: "jwt-secret"}
	one, two := key(1, "jwt-secret", "one"), key(2, "jwt-secret", "two")
	was := text{"jwt-secret": "one"}
	if _, err := l.Render(view(1, 1, 2), live(one, two), was.data()); err == nil {
		t.Error("two keys were written to one place")
	}
	changes, err := l.Render(view(2, 2), live(one, two), was.data())
	if err != nil || string(changes["jwt-secret"]) != "two" {
		t.Errorf("the one key became %q (%v)", changes["jwt-secret"], err)
	}
}

func TestNamesAreNumberedOn(t *testing.T) {
	named := runbook
	named.Named = []string{"jwt-secret-v1", "jwt-secret-v2"}
	one := runbook
	one.Named = []string{"jwt-secret-v1"}
	for name, c := range map[string]struct {
		layout  Layout
		current rotation.Credential
		v       rotation.Version
		want    string
		room    bool
	}{
		"from the first":                    {runbook, key(1, "jwt-secret-v1", ""), 2, "jwt-secret-v2", true},
		"from where the runbook had come":   {runbook, key(1, "jwt-secret-v7", ""), 2, "jwt-secret-v8", true},
		"past one that was aborted":         {runbook, key(1, "jwt-secret-v7", ""), 3, "jwt-secret-v9", true},
		"to the other of two that are read": {named, key(1, "jwt-secret-v1", ""), 2, "jwt-secret-v2", true},
		"and back":                          {named, key(2, "jwt-secret-v2", ""), 3, "jwt-secret-v1", true},
		"where one alone is read":           {one, key(1, "jwt-secret-v1", ""), 2, "jwt-secret-v1", false},
		"where there is one alone":          {Layout{Key: "jwt-secret"}, key(1, "jwt-secret", ""), 2, "jwt-secret", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.layout.next(c.v, c.current); got != c.want {
				t.Errorf("next is %s, want %s", got, c.want)
			}
			if got := c.layout.Room(c.current); got != c.room {
				t.Errorf("room: %v", got)
			}
		})
	}
}

// A new key stands in the Secret as the one before did: whoever reads that can read this.
func TestGenerateKeepsTheForm(t *testing.T) {
	for name, value := range map[string]string{
		"base64":                       "2Jxnvz1b0yTGWQmEjN8wXv9nQhXnq8m8b5k7V0s6jF4=",
		"base64 without padding":       "2Jxnvz1b0yTGWQmEjN8wXv9nQhXnq8m8b5k7V0s6jF4",
		"base64url":                    "2Jxnvz1b0yTGWQmEjN8wXv9nQ-Xnq8m8b5k7V0s6jF4=",
		"hexadecimal":                  strings.Repeat("0af3", 16),
		"with a newline at its end":    "2Jxnvz1b0yTGWQmEjN8wXv9nQhXnq8m8b5k7V0s6jF4=\n",
		"broken over lines as openssl": "2Jxnvz1b0yTGWQmEjN8wXv9n\nQhXnq8m8b5k7V0s6jF4=",
		"words":                        "correct horse battery staple, and then some",
		"bytes":                        "\x00\x01\xfe\xff\x80\x81\x82\x83\x84\x85\x86\x87",
	} {
		t.Run(name, func(t *testing.T) {
			current := key(1, "jwt-secret-v1", value)
			c, err := Unasked{Layout: runbook}.Generate(context.Background(), 2, current)
			if err != nil {
				t.Fatal(err)
			}
			got, f := string(c.Value.Reveal()), formOf([]byte(value))
			if f.decode != nil {
				if b, err := f.decode(strings.TrimSuffix(got, "\n")); err != nil || len(b) != keyBytes {
					t.Errorf("%q is no %s of %d bytes: %v", got, f.name, keyBytes, err)
				}
			}
			if strings.HasSuffix(got, "\n") != strings.HasSuffix(value, "\n") || strings.Contains(strings.TrimSuffix(got, "\n"), "\n") {
				t.Errorf("%q was modelled on %q", got, value)
			}
			if weak, err := Judge(c, "HS512"); weak != "" || err != nil {
				t.Error(weak, err)
			}
		})
	}
}

// A key in base64 that has none of the characters in which its alphabets differ may be read in either: so may the next, and what is
// put in the place of an old one.
func TestBase64OfEitherAlphabetStaysSo(t *testing.T) {
	current := key(1, "jwt-secret-v1", "2Jxnvz1b0yTGWQmEjN8wXv9nQhXnq8m8b5k7V0s6jF4=")
	for range 50 {
		c, err := Unasked{Layout: runbook}.Generate(context.Background(), 2, current)
		if err != nil || strings.ContainsAny(string(c.Value.Reveal()), "+/-_") {
			t.Fatalf("%q, %v", c.Value.Reveal(), err)
		}
		current = c
		if left := string(secretKey(c.Value.Reveal()).idle("jwt-secret-v1")); strings.ContainsAny(left, "+/-_") {
			t.Fatalf("left in the old one's place: %q", left)
		}
	}
}

func TestRemarksNameWhatIsLeftOver(t *testing.T) {
	got := runbook.Remarks(text{"jwt-secret-v1": "a\nb", "jwt-secret-v0": "x", "active-key": "jwt-secret-v1"}.data())
	if len(got) != 2 || !strings.Contains(got[0], "jwt-secret-v0") || !strings.Contains(got[1], "openssl") {
		t.Errorf("remarks: %q", got)
	}
	if keys := runbook.Keys(text{"jwt-secret-v1": "a", "password": "x", "active-key": "jwt-secret-v1"}.data()); !slices.Equal(keys, []string{"active-key", "jwt-secret-v1"}) {
		t.Errorf("keys: %q", keys)
	}
}
