package e2e

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
)

// forms are how a value can stand in a text: as it is, in base64 of both alphabets, inside something longer that is
// in base64, percent-encoded, as JSON, in hex.
func forms(value string) map[string]string {
	quoted, _ := json.Marshal(value)
	all := map[string]string{
		"as it is": value, "URL query": url.QueryEscape(value), "URL path": url.PathEscape(value),
		"JSON": strings.Trim(string(quoted), `"`), "hex": hex.EncodeToString([]byte(value)), "HEX": strings.ToUpper(hex.EncodeToString([]byte(value))),
	}
	for name, encoding := range map[string]*base64.Encoding{"base64": base64.RawStdEncoding, "URL base64": base64.RawURLEncoding} {
		for shift := range 3 {
			// Three characters stand for three bytes: the first and the last ones also hold bits of what is around.
			text := encoding.EncodeToString([]byte(strings.Repeat("x", shift) + value))
			all[name+", after "+strings.Repeat("x", shift)] = text[(shift*8+5)/6 : len(text)-1]
		}
	}
	return all
}

// leaked names the forms of value that stand in text.
func leaked(text, value string) (found []string) {
	for name, form := range forms(value) {
		if strings.Contains(text, form) {
			found = append(found, name)
		}
	}
	return found
}

func TestForms(t *testing.T) {
	const value = `p+/=$"ä?secret&value<`
	quoted, _ := json.Marshal(map[string]string{"x": value})
	for _, text := range []string{
		"password=" + value, "postgres://u:" + url.QueryEscape(value) + "@h/d", string(quoted), hex.EncodeToString([]byte("x" + value)),
		base64.StdEncoding.EncodeToString([]byte(value)), base64.URLEncoding.EncodeToString([]byte(value)), base64.RawStdEncoding.EncodeToString([]byte(value)),
		base64.StdEncoding.EncodeToString([]byte("u:" + value + "@h")), base64.StdEncoding.EncodeToString([]byte("u:p:" + value + "@host")),
		base64.RawURLEncoding.EncodeToString([]byte("u" + value + "\n")),
	} {
		if len(leaked(text, value)) == 0 {
			t.Errorf("not found in %s", text)
		}
	}
	if found := leaked("p+/=$ secret value", value); found != nil {
		t.Errorf("found where it is not: %v", found)
	}
}
