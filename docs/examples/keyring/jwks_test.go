package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
)

// The key of RFC 7638, section 3.1, and that of RFC 8037, appendix A.3.
func TestThumbprints(t *testing.T) {
	n := "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"
	for want, one := range map[string]jwk{
		"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs": {Kty: "RSA", N: n, E: "AQAB"},
		"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k": {Kty: "OKP", Crv: "Ed25519", X: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
	} {
		if got := Thumbprint(one.public()); got != want {
			t.Errorf("the thumbprint is %s, want %s", got, want)
		}
	}
}

func pairs(t *testing.T) map[string]crypto.Signer {
	t.Helper()
	all := map[string]crypto.Signer{}
	keep := func(alg string, key crypto.Signer, err error) {
		if err != nil {
			t.Fatal(err)
		}
		all[alg] = key
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	keep("EdDSA", ed, err)
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	keep("RS256", r, err)
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		keep(alg, k, err)
	}
	return all
}

// asJWK is a private key with its public half, as RFC 7518, section 6, and RFC 8037, section 2, have it.
func asJWK(t *testing.T, private crypto.Signer) jwk {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString
	switch k := private.(type) {
	case ed25519.PrivateKey:
		return jwk{Kty: "OKP", Crv: "Ed25519", X: text(k.Public().(ed25519.PublicKey)), D: text(k.Seed())}
	case *rsa.PrivateKey:
		return jwk{Kty: "RSA", N: text(k.N.Bytes()), E: "AQAB", D: text(k.D.Bytes()), P: text(k.Primes[0].Bytes()), Q: text(k.Primes[1].Bytes())}
	case *ecdsa.PrivateKey:
		point, err := k.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		d, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := len(point) / 2
		return jwk{Kty: "EC", Crv: k.Params().Name, X: text(point[1 : 1+half]), Y: text(point[1+half:]), D: text(d)}
	}
	t.Fatalf("%T", private)
	return jwk{}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A key of each kind signs by its own algorithm, as PEM and as a JSON Web Key, and whoever reads the set verifies.
func TestEachKindSigns(t *testing.T) {
	for alg, private := range pairs(t) {
		der, err := x509.MarshalPKCS8PrivateKey(private)
		asPEM := encoded(t, "PRIVATE KEY", der, err)
		own := asJWK(t, private)
		shown := own
		shown.D, shown.P, shown.Q, shown.Kid = "", "", "", Thumbprint(private.Public())
		set := fmt.Appendf(nil, `{"keys":[%s]}`, marshal(t, shown))
		for form, text := range map[string][]byte{"PEM": asPEM, "JWK": marshal(t, own)} {
			ring, err := FromSet(text, set)
			if err != nil {
				t.Errorf("%s as %s: %v", alg, form, err)
				continue
			}
			if got := verified(ring, token(t, ring)); got != shown.Kid || ring.keys[got].method.Alg() != alg {
				t.Errorf("%s as %s: accepted as %q by %s", alg, form, got, ring.keys[got].method.Alg())
			}
		}
	}
	if _, err := FromSet([]byte(`{"kty":"EC","crv":"P-256"}`), []byte(`{"keys":[]}`)); err == nil {
		t.Error("a key signs that is none")
	}
}

// What the key does not say is said beside it: RSA by PS256. A key that is not for it is an error.
func TestAnotherAlgorithmOfTheSameKey(t *testing.T) {
	for alg, private := range pairs(t) {
		der, err := x509.MarshalPKCS8PrivateKey(private)
		plain := named(t, "v1", map[string][]byte{"v1": encoded(t, "PRIVATE KEY", der, err)})
		before := token(t, plain)
		ring, err := plain.By("PS256")
		if alg != "RS256" {
			if err == nil {
				t.Errorf("a key for %s signs by PS256", alg)
			}
			continue
		}
		if err != nil || verified(ring, token(t, ring)) != "v1" || verified(ring, before) != "" {
			t.Errorf("by PS256: %v", err)
		}
	}
}

// The public half that is written beside a key is what verifies its tokens: one that is another key's does not.
func TestThePublicHalfVerifies(t *testing.T) {
	private, public, _ := edPair(t)
	_, other, _ := edPair(t)
	for range 20 { // in whichever order they are read
		right := named(t, "v1", map[string][]byte{"v1": private, "v1.pub": public})
		wrong := named(t, "v1", map[string][]byte{"v1": private, "v1.pub": other})
		if verified(right, token(t, right)) != "v1" || verified(wrong, token(t, wrong)) != "" {
			t.Fatal("it is not the public half that verifies")
		}
	}
}
