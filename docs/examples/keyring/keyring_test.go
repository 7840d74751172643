package keyring

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func ExampleNamed() {
	// As a pod is handed them between the steps of a rotation: both keys are known, and the old one still signs.
	ring, err := Named(map[string][]byte{
		"jwt-secret-v1": []byte("a key that is at least thirty-two bytes long"),
		"jwt-secret-v2": []byte("another key of at least thirty-two bytes too"),
	}, "jwt-secret-v1")
	if err != nil {
		fmt.Println(err)
		return
	}
	token, _ := ring.Sign(jwt.RegisteredClaims{Subject: "somebody", ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute))})
	var claims jwt.RegisteredClaims
	kid, err := ring.Verify(token, &claims)
	fmt.Println(kid, claims.Subject, err)
	// Output: jwt-secret-v1 somebody <nil>
}

func encoded(t *testing.T, kind string, der []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func edPair(t *testing.T) (private, public []byte, half ed25519.PublicKey) {
	t.Helper()
	half, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	private = encoded(t, "PRIVATE KEY", der, err)
	der, err = x509.MarshalPKIXPublicKey(half)
	return private, encoded(t, "PUBLIC KEY", der, err), half
}

func named(t *testing.T, active string, values map[string][]byte) *Keyring {
	t.Helper()
	ring, err := Named(values, active)
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func token(t *testing.T, r *Keyring) string {
	t.Helper()
	text, err := r.Sign(jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute))})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func verified(r *Keyring, token string) string {
	kid, err := r.Verify(token, &jwt.RegisteredClaims{})
	if err != nil {
		return ""
	}
	return kid
}

// What a rotation of pairs goes through: old tokens are accepted until the old key is gone, new ones everywhere before it signs.
func TestPairsAcrossARotation(t *testing.T) {
	oldKey, oldPublic, _ := edPair(t)
	newKey, _, _ := edPair(t)
	one := named(t, "v1", map[string][]byte{"v1": oldKey, "v1.pub": oldPublic})
	published := named(t, "v1", map[string][]byte{"v1": oldKey, "v2": newKey})
	activated := named(t, "v2", map[string][]byte{"v1": oldKey, "v2": newKey})
	verifier := named(t, "v2", map[string][]byte{"v1.pub": oldPublic, "v2": newKey})
	after := named(t, "v2", map[string][]byte{"v2": newKey})
	for name, c := range map[string]struct {
		signer, verifier *Keyring
		want             string
	}{
		"the old key, before":            {one, published, "v1"},
		"the new key, once it signs":     {activated, published, "v2"},
		"the old key, by its public one": {one, verifier, "v1"},
		"the old key, once it is gone":   {one, after, ""},
		"the new key, where unpublished": {activated, one, ""},
	} {
		if got := verified(c.verifier, token(t, c.signer)); got != c.want {
			t.Errorf("%s: accepted as %q, want %q", name, got, c.want)
		}
	}
}

// The key says which algorithm its tokens have: neither none, nor its public half taken for a secret.
func TestTheAlgorithmIsPinned(t *testing.T) {
	private, public, _ := edPair(t)
	secret := []byte("a key that is at least thirty-two bytes long")
	ring := named(t, "v1", map[string][]byte{"v1": private, "v2": secret})
	claims := jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute))}
	for name, sign := range map[string]struct {
		kid    string
		method jwt.SigningMethod
		key    any
	}{
		"none":                    {"v1", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType},
		"public key as a secret":  {"v1", jwt.SigningMethodHS256, public},
		"a longer hash than ours": {"v2", jwt.SigningMethodHS512, secret},
	} {
		forged := jwt.NewWithClaims(sign.method, claims)
		forged.Header["kid"] = sign.kid
		text, err := forged.SignedString(sign.key)
		if err != nil {
			t.Fatal(err)
		}
		if kid := verified(ring, text); kid != "" {
			t.Errorf("%s: accepted as %s", name, kid)
		}
	}
	if endless, _ := ring.Sign(jwt.RegisteredClaims{}); verified(ring, endless) != "" {
		t.Error("a token without an end is accepted")
	}
}

func member(kid string, half ed25519.PublicKey) string {
	return fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","x":"%s","kid":"%s"}`, base64.RawURLEncoding.EncodeToString(half), kid)
}

// One key to sign with, and a set for all who verify; others' keys in it do not disturb.
func TestKeysInASet(t *testing.T) {
	oldKey, _, oldHalf := edPair(t)
	newKey, _, newHalf := edPair(t)
	set := func(members ...string) []byte {
		return []byte(`{"keys":[{"kty":"RSA","kid":"other","n":"AQAB","e":"AQAB"},` + strings.Join(members, ",") + `]}`)
	}
	both := set(member(Thumbprint(oldHalf), oldHalf), member(Thumbprint(newHalf), newHalf))
	published, err := FromSet(oldKey, both)
	if err != nil {
		t.Fatal(err)
	}
	after, err := FromSet(newKey, set(member(Thumbprint(newHalf), newHalf)))
	if err != nil {
		t.Fatal(err)
	}
	if got := verified(published, token(t, after)); got != Thumbprint(newHalf) {
		t.Errorf("a new token is accepted as %q", got)
	}
	if got := verified(after, token(t, published)); got != "" {
		t.Errorf("an old token is accepted as %q once its key is gone", got)
	}
	if _, err := FromSet(newKey, set(member(Thumbprint(oldHalf), oldHalf))); err == nil {
		t.Error("a key signs that nobody can verify")
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	_, public, _ := edPair(t)
	for name, values := range map[string]map[string][]byte{
		"a broken key":       {"v1": []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")},
		"an empty one":       {"v1": nil},
		"only a public half": {"v1.pub": public},
		"none":               {},
	} {
		if _, err := Named(values, "v1"); err == nil {
			t.Errorf("%s: no error, and the pod would come up", name)
		}
	}
}
