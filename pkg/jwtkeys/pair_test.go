package jwtkeys

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

func newRSA() any     { k, _ := rsa.GenerateKey(rand.Reader, 2048); return k }
func newP256() any    { k, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader); return k }
func newP384() any    { k, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader); return k }
func newP521() any    { k, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader); return k }
func newEd25519() any { _, k, _ := ed25519.GenerateKey(rand.Reader); return k }

// weakRSA is an RSA key of 1024 bits.
func weakRSA(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func block(kind string, der []byte, err error) string {
	if err != nil {
		panic(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, private any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	return block("PRIVATE KEY", der, err)
}

func sec1(private any) string {
	der, err := x509.MarshalECPrivateKey(private.(*ecdsa.PrivateKey))
	return block("EC PRIVATE KEY", der, err)
}

func public(private any) string {
	der, err := x509.MarshalPKIXPublicKey(private.(crypto.Signer).Public())
	return block("PUBLIC KEY", der, err)
}

// A new pair stands in the Secret as the one before did: of its kind, its size and its encoding.
func TestAnotherPairStandsAsTheOneBefore(t *testing.T) {
	const parameters = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
	private := newP256()
	for name, c := range map[string]struct {
		value, algorithm string
		begins, ends     string
	}{
		"RSA in PKCS #8":             {pkcs8(t, newRSA()), "RS256", "-----BEGIN PRIVATE KEY-----\n", "-----END PRIVATE KEY-----\n"},
		"RSA in PKCS #1":             {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(newRSA().(*rsa.PrivateKey)), nil), "RS256", "-----BEGIN RSA PRIVATE KEY-----\n", "\n"},
		"P-256 in PKCS #8":           {pkcs8(t, private), "ES256", "-----BEGIN PRIVATE KEY-----\n", "\n"},
		"P-256 in SEC 1":             {sec1(private), "ES256", "-----BEGIN EC PRIVATE KEY-----\n", "\n"},
		"with its parameters before": {parameters + sec1(private), "ES256", parameters + "-----BEGIN EC PRIVATE KEY-----\n", "\n"},
		"P-384":                      {sec1(newP384()), "ES384", "-----BEGIN EC", "\n"},
		"P-521":                      {pkcs8(t, newP521()), "ES512", "-----BEGIN PRIVATE", "\n"},
		"Ed25519":                    {pkcs8(t, newEd25519()), "EdDSA", "-----BEGIN PRIVATE", "\n"},
		"without a newline":          {strings.TrimSpace(pkcs8(t, private)), "ES256", "-----BEGIN PRIVATE", "KEY-----"},
		"on one line":                {strings.ReplaceAll(pkcs8(t, private), "\n", `\n`), "ES256", `-----BEGIN PRIVATE KEY-----\n`, `KEY-----\n`},
		"in base64":                  {base64.StdEncoding.EncodeToString([]byte(pkcs8(t, private))) + "\n", "ES256", "LS0tLS1CRUdJTiB", "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			current := key(1, "jwt-secret-v1", c.value)
			next, err := Unasked{Layout: runbook}.Generate(context.Background(), 2, current)
			if err != nil {
				t.Fatal(err)
			}
			value := string(next.Value.Reveal())
			if value == c.value || !strings.HasPrefix(value, c.begins) || !strings.HasSuffix(value, c.ends) || len(value) < len(c.value)-8 || strings.Count(value, "\n") != strings.Count(c.value, "\n") {
				t.Errorf("%q was modelled on %q", value, c.value)
			}
			was, _ := read([]byte(c.value))
			is, err := read([]byte(value))
			if err != nil || is.String() != was.String() || is.algorithms()[0] != c.algorithm {
				t.Fatalf("%v, %v; want %v for %s", is, err, was, c.algorithm)
			}
			r := is.readings()[0]
			token, err := jwt.New(jwt.GetSigningMethod(c.algorithm)).SignedString(r.sign)
			if err != nil || !signedWith(token, c.algorithm, r.verify) || signedWith(token, c.algorithm, was.readings()[0].verify) {
				t.Errorf("the new key alone should verify what it signs: %v", err)
			}
			if !bytes.Equal(was.idle("jwt-secret-v0"), []byte(c.value)) {
				t.Error("what stands under a name that has to be there is not the active key")
			}
		})
	}
}

// What can't be signed with is refused before anything has changed, with where that is said, and without its value.
func TestKeysThatAreRefused(t *testing.T) {
	p256 := newP256()
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	for name, c := range map[string]struct{ value, algorithm, want string }{
		"a secret for RS256":        {strings.Repeat("x!", 32), "RS256", "is a secret, and RS256 takes an RSA key of 2048 bits at least (RFC 7518, section 3.3)"},
		"an RSA key for HS256":      {pkcs8(t, newRSA()), "HS256", "is an RSA key of 2048 bits, and HS256 takes a secret of 32 bytes at least (RFC 7518, section 3.2)"},
		"another curve":             {pkcs8(t, p256), "ES384", "is a key on the curve P-256, and ES384 takes a key on the curve P-384 (RFC 7518, section 3.4)"},
		"a curve for EdDSA":         {sec1(p256), "EdDSA", "RFC 8037, section 3.1"},
		"a curve of no algorithm":   {pkcs8(t, p224), "", "is a key on the curve P-224, and there is no algorithm for it (RFC 7518, section 3.1)"},
		"a public key":              {public(p256), "", "is a public key, where the private key should be"},
		"a public key as a secret":  {public(p256), "HS256", "is a public key, where the private key should be"},
		"an encrypted key":          {block("ENCRYPTED PRIVATE KEY", []byte("0000"), nil), "", "encrypted with a passphrase"},
		"cut off":                   {pkcs8(t, p256)[:90], "", "can't be read as such (RFC 7468"},
		"of other content":          {block("PRIVATE KEY", []byte("correct horse battery staple"), nil), "", "can't be read as the private key that it says to be"},
		"two of them":               {pkcs8(t, p256) + pkcs8(t, p256), "", "holds more than a private key"},
		"something else":            {block("OPENSSH PRIVATE KEY", []byte("correct horse"), nil), "", "of something else than a private key"},
		"a public key in base64":    {base64.StdEncoding.EncodeToString([]byte(public(p256))), "", "is a public key"},
		"a public key on one line":  {strings.ReplaceAll(public(p256), "\n", `\n`), "", "is a public key"},
		"a key for another purpose": {block("PRIVATE KEY", x25519, nil), "", "of a kind that nothing is signed with"},
	} {
		t.Run(name, func(t *testing.T) {
			current := key(1, "jwt-secret-v1", c.value)
			weak, err := Judge(current, c.algorithm)
			if err == nil || weak != "" || !strings.Contains(err.Error(), "jwt-secret-v1 "+c.want) && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("said: %q, %v", weak, err)
			}
			for _, line := range strings.Split(c.value, "\n") {
				if len(line) > 8 && !strings.HasPrefix(line, "-----") && strings.Contains(err.Error(), line[:8]) {
					t.Errorf("its value is in %q", err)
				}
			}
			if _, err := (Unasked{Layout: runbook, Algorithm: c.algorithm}).Generate(context.Background(), 2, current); err == nil {
				t.Error("another one was made of it")
			}
		})
	}
}

// x25519 is a key to agree on others with (RFC 8410), in PKCS #8.
var x25519 = append([]byte{0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x6e, 0x04, 0x22, 0x04, 0x20}, make([]byte, 32)...)

// A weak key in use is named and can be rotated: the next one is not weak.
func TestAWeakKeyIsNamedWithTheRFC(t *testing.T) {
	for name, c := range map[string]struct{ value, algorithm, want string }{
		"a word":           {"changeme", "HS256", "jwt-secret-v1 has 8 bytes, and HS256 takes 32 at least (RFC 7518, section 3.2)"},
		"by default":       {"changeme", "", "HS256 takes 32"},
		"for a longer one": {strings.Repeat("x", 40), "HS384", "HS384 takes 48"},
		"an RSA key":       {pkcs8(t, weakRSA(t)), "", "has 1024 bits, and RS256 takes 2048 at least (RFC 7518, section 3.3)"},
		"an RSA key by PS": {pkcs8(t, weakRSA(t)), "PS512", "RFC 7518, section 3.5"},
		"long enough":      {strings.Repeat("x!", 16), "HS256", ""},
		"in hexadecimal":   {strings.Repeat("0a", 16), "HS256", ""}, // 32 characters: who signs may take them as they are
		"an Ed25519 key":   {pkcs8(t, newEd25519()), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			current := key(1, "jwt-secret-v1", c.value)
			weak, err := Judge(current, c.algorithm)
			if err != nil || !strings.Contains(weak, c.want) || (weak == "") != (c.want == "") {
				t.Fatalf("said: %q, %v; want %q", weak, err, c.want)
			}
			next, err := Unasked{Layout: runbook, Algorithm: c.algorithm}.Generate(context.Background(), 2, current)
			if err != nil {
				t.Fatal(err)
			}
			if weak, err := Judge(next, c.algorithm); weak != "" || err != nil {
				t.Errorf("the next one: %q, %v", weak, err)
			}
		})
	}
}

// A Secret whose active key can't be read is refused as a whole, before anybody decides anything.
func TestParseRefusesAKeyThatCannotBeRead(t *testing.T) {
	_, err := runbook.Parse(text{"jwt-secret-v1": public(newP256()), "active-key": "jwt-secret-v1"}.data())
	if err == nil || !strings.Contains(err.Error(), "key jwt-secret-v1 is a public key") {
		t.Errorf("said: %v", err)
	}
}
