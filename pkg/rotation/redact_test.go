package rotation

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// However a program quotes a value, nothing of it is left.
func TestRedactFindsEveryFormOfAValue(t *testing.T) {
	for _, value := range []string{"correct horse", `p"a\s's<&>/+?%`, "übergröße\n", "{\"key\":\"s3cret\"}", "Zm9v", "-----BEGIN-----\nabc\n"} {
		quoted, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		for name, form := range map[string]string{
			"as it is": value, "trimmed": strings.TrimSpace(value), "base64": base64.StdEncoding.EncodeToString([]byte(value)),
			"base64 without padding": base64.RawStdEncoding.EncodeToString([]byte(value)), "base64 for URLs": base64.URLEncoding.EncodeToString([]byte(value)),
			"in a query": url.QueryEscape(value), "in a path": url.PathEscape(value), "in JSON": string(quoted), "in Go": fmt.Sprintf("%q", value),
			"in hexadecimal": fmt.Sprintf("%x", value),
		} {
			got := Redact("denied: the object had "+form+" in it", []byte("other"), []byte(value))
			if strings.Contains(got, strings.Trim(form, `"`)) || !strings.Contains(got, Redacted) || !strings.HasPrefix(got, "denied: ") {
				t.Errorf("%s of %q: got %q", name, value, got)
			}
		}
	}
}

func TestRedactErrorIsStillWhatItWas(t *testing.T) {
	err := fmt.Errorf("the object had hunter2: %w", ErrUnavailable)
	got := RedactError(err, []byte("hunter2"))
	if got.Error() != "the object had [redacted]: not available" || !errors.Is(got, ErrUnavailable) || errors.Is(got, ErrConflict) || errors.Unwrap(got) != nil {
		t.Errorf("got %v", got)
	}
	if got := RedactError(err, []byte("other")); got != err { //nolint:errorlint // the very same
		t.Errorf("got %v", got)
	}
}

// A value that is too short to be told from other words takes all of the text with it.
func TestRedactWithholdsATextWithAShortValue(t *testing.T) {
	for text, want := range map[string]string{
		"password must not be abc":        Redacted,
		`{"password":"abc"}`:              Redacted,
		"password=abc&x":                  Redacted,
		"abc":                             Redacted,
		"xabc abcx, and (abc)":            Redacted,
		"in base64 it is YWJj, they say":  "in base64 it is " + Redacted + ", they say",
		"no such namespace: abcd or xabc": "no such namespace: abcd or xabc",
	} {
		if got := Redact(text, []byte("abc")); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
	if got := Redact("nothing is secret", nil, []byte(""), []byte("\n")); got != "nothing is secret" {
		t.Errorf("empty values: got %q", got)
	}
}
