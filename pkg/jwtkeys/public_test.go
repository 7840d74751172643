package jwtkeys

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Public keys come and go with their private ones, under their names, in the form of those that are there.
func TestPublicKeysAreWrittenWithTheirPrivateOnes(t *testing.T) {
	pkcs1 := func(private any) string {
		return block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(private.(crypto.Signer).Public().(*rsa.PublicKey)), nil)
	}
	elsewhere, one := runbook, Layout{Key: "key.pem"}
	elsewhere.Public = "jwt-public-v*"
	for name, c := range map[string]struct {
		layout  Layout
		private func() any
		name    func(n string) (private, public string)
		public  func(any) string
	}{
		"beside them":              {runbook, newEd25519, func(n string) (string, string) { return "jwt-secret-v" + n, "jwt-secret-v" + n + ".pub" }, public},
		"in PKCS #1":               {runbook, newRSA, func(n string) (string, string) { return "jwt-secret-v" + n, "jwt-secret-v" + n + ".pub" }, pkcs1},
		"under names of their own": {elsewhere, newP256, func(n string) (string, string) { return "jwt-secret-v" + n, "jwt-public-v" + n }, public},
		"of the only one":          {one, newP256, func(string) (string, string) { return "key.pem", "key.pem.pub" }, public},
	} {
		t.Run(name, func(t *testing.T) {
			private1, public1 := c.name("1")
			private2, public2 := c.name("2")
			old, next := c.private(), c.private()
			first, second := key(1, private1, pkcs8(t, old)), key(2, private2, pkcs8(t, next))
			was := text{private1: pkcs8(t, old), public1: c.public(old), "other.pub": "kept"}
			after := text{private2: pkcs8(t, next), public2: c.public(next), "other.pub": "kept"}
			if c.layout.Active != "" {
				was["active-key"], after["active-key"] = private1, private2
				both := was.with(rendered(t, c.layout, view(1, 1, 2), live(first, second), was))
				want := text{private2: pkcs8(t, next), public2: c.public(next)}.with(was.data())
				if diff := cmp.Diff(want, both); diff != "" {
					t.Errorf("published: %s", diff)
				}
				was = both
			}
			if diff := cmp.Diff(after, was.with(rendered(t, c.layout, view(2, 2), live(first, second), was))); diff != "" {
				t.Errorf("alone: %s", diff)
			}
		})
	}
}

func rendered(t *testing.T, l Layout, v rotation.View, live map[rotation.Version]rotation.Credential, was text) map[string][]byte {
	t.Helper()
	changes, err := l.Render(v, live, was.data())
	if err != nil {
		t.Fatal(err)
	}
	return changes
}

// Pods that are handed pairs by name go on finding both halves: those that are taken away become the active key's.
func TestPublicKeysThatPodsNeedToStart(t *testing.T) {
	l := runbook
	l.Named = []string{"jwt-secret-v1", "jwt-secret-v2"}
	old, next := newEd25519(), newEd25519()
	was := text{
		"jwt-secret-v1": pkcs8(t, old), "jwt-secret-v1.pub": public(old),
		"jwt-secret-v2": pkcs8(t, next), "jwt-secret-v2.pub": public(next), "active-key": "jwt-secret-v2",
	}
	changes := rendered(t, l, view(2, 2), live(key(1, "jwt-secret-v1", pkcs8(t, old)), key(2, "jwt-secret-v2", pkcs8(t, next))), was)
	want := text{
		"jwt-secret-v1": pkcs8(t, next), "jwt-secret-v1.pub": public(next),
		"jwt-secret-v2": pkcs8(t, next), "jwt-secret-v2.pub": public(next), "active-key": "jwt-secret-v2",
	}
	if diff := cmp.Diff(want, was.with(changes)); diff != "" {
		t.Error(diff)
	}
}

// A public key that says the right thing stays as it stands, however that is: nothing but what has to is changed under consumers.
func TestAPublicKeyStaysByteForByte(t *testing.T) {
	private := newEd25519()
	odd := strings.ReplaceAll(public(private), "\n", "\r\n")
	was := text{"jwt-secret-v1": pkcs8(t, private), "jwt-secret-v1.pub": odd, "active-key": "jwt-secret-v1"}
	changes := rendered(t, runbook, view(1, 1), live(key(1, "jwt-secret-v1", pkcs8(t, private))), was)
	if diff := cmp.Diff(was, was.with(changes)); diff != "" {
		t.Error(diff)
	}
}

// Where no public keys are, none are written.
func TestNoPublicKeyIsAdded(t *testing.T) {
	one, two := pkcs8(t, newEd25519()), pkcs8(t, newEd25519())
	was := text{"jwt-secret-v1": one, "active-key": "jwt-secret-v1"}
	changes := rendered(t, runbook, view(1, 1, 2), live(key(1, "jwt-secret-v1", one), key(2, "jwt-secret-v2", two)), was)
	if diff := cmp.Diff(text{"jwt-secret-v1": one, "jwt-secret-v2": two, "active-key": "jwt-secret-v1"}, was.with(changes)); diff != "" {
		t.Error(diff)
	}
}

// A public key that is not the half of the private one beside it is refused: tokens of the one would not be accepted by the other.
func TestPublicKeysHaveToMatch(t *testing.T) {
	private := newP256()
	for name, c := range map[string]struct{ value, want string }{
		"another's":           {public(newP256()), "key jwt-secret-v1.pub is not the public half of jwt-secret-v1"},
		"of another kind":     {public(newEd25519()), "is not the public half"},
		"a private one":       {pkcs8(t, private), "should be a public key, and is PEM of something else"},
		"none":                {"correct horse battery staple", "should be the PEM of one public key (RFC 7468, section 13)"},
		"of other content":    {block("PUBLIC KEY", []byte("correct horse"), nil), "can't be read as the public key"},
		"its own":             {public(private), ""},
		"its own on one line": {strings.ReplaceAll(public(private), "\n", `\n`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := runbook.Parse(text{"jwt-secret-v1": pkcs8(t, private), "jwt-secret-v1.pub": c.value, "active-key": "jwt-secret-v1"}.data())
			if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "horse")) {
				t.Errorf("said: %v", err)
			}
		})
	}
}

func TestNamesOfPublicKeysAreKnown(t *testing.T) {
	elsewhere := runbook
	elsewhere.Public = "jwt-public-v*"
	for name, c := range map[string]struct {
		layout Layout
		want   string
	}{
		"jwt-secret-v12":     {runbook, "jwt-secret-v12"},
		"jwt-secret-v12.pub": {runbook, "jwt-secret-v12"},
		"jwt-secret-.pub":    {runbook, ""},
		"jwt-public-v12":     {elsewhere, "jwt-secret-v12"},
		"jwt-public-v":       {elsewhere, ""},
		"jwt-public-v01":     {elsewhere, ""},
	} {
		if got := c.layout.Signing(name); got != c.want {
			t.Errorf("%s belongs to %q, want %q", name, got, c.want)
		}
	}
	keys := runbook.Keys(text{"jwt-secret-v1": "a", "jwt-secret-v1.pub": "b", "active-key": "jwt-secret-v1"}.data())
	if diff := cmp.Diff([]string{"active-key", "jwt-secret-v1", "jwt-secret-v1.pub"}, keys); diff != "" {
		t.Error(diff)
	}
}

// From one rotation to the next, by what is made here alone.
func TestPairsRotateAgainAndAgain(t *testing.T) {
	was := text{"jwt-secret-v1": sec1(newP384()), "active-key": "jwt-secret-v1"}
	first, err := read([]byte(was["jwt-secret-v1"]))
	if err != nil {
		t.Fatal(err)
	}
	half, err := publicForm{block: "PUBLIC KEY", wrap: func(b []byte) []byte { return b }}.seal(first.public())
	if err != nil {
		t.Fatal(err)
	}
	was["jwt-secret-v1.pub"] = string(half) // without a newline
	for v := rotation.Version(1); v < 4; v++ {
		now, err := runbook.Parse(was.data())
		if err != nil {
			t.Fatal(err)
		}
		now.V = v
		next, err := Unasked{Layout: runbook}.Generate(context.Background(), v+1, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, stage := range []rotation.View{view(v, v, v+1), view(v+1, v, v+1), view(v+1, v+1)} {
			was = was.with(rendered(t, runbook, stage, live(now, next), was))
			if again := was.with(rendered(t, runbook, stage, live(now, next), was)); !cmp.Equal(was, again) {
				t.Errorf("written again: %s", cmp.Diff(was, again))
			}
		}
		if len(was) != 3 || strings.HasSuffix(was[next.ID+".pub"], "\n") || !strings.HasSuffix(was[next.ID], "-----END EC PRIVATE KEY-----\n") {
			t.Errorf("after %v: %q", v, was)
		}
	}
}
