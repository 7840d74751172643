package wiring

import (
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// What a container said last may hold the login's connection string, in whatever way its library writes one.
func TestNoFormOfAValueIsShown(t *testing.T) {
	const value = `kT9/+aZ"q2=Vw8xN5mB7pL3cR6yH4jG1` // as openssl makes them, and worse
	cs := []rotation.Credential{{V: 1, ID: "backend", Value: rotation.NewSecret([]byte(value))}}
	for name, form := range map[string]string{
		"plain":      value,
		"query":      url.QueryEscape(value),
		"path":       url.PathEscape(value),
		"user info":  url.UserPassword("backend", value).String(),
		"JSON":       strconv.Quote(value),
		"hex":        hex.EncodeToString([]byte(value)),
		"half of it": strings.ReplaceAll(value, "/", "%2f"),
	} {
		got := without("FATAL: cannot reach postgres://backend:"+form+"@db/shop", cs)
		if strings.Contains(got, form) || strings.Contains(got, "aZ") || !strings.Contains(got, rotation.Redacted) {
			t.Errorf("%s: %s", name, got)
		}
	}
	const harmless = "FATAL: role backend does not exist"
	if got := without(harmless, append(cs, rotation.Credential{ID: "empty"})); got != harmless {
		t.Errorf("nothing was to be hidden: %q", got)
	}
}
