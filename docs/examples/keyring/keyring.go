// Package keyring is an example of how an application lets its signing keys be rotated. The demo platform's backend is built
// on it, so every rotation in this repository's tests runs through these lines.
//
// Three rules are all it takes:
//
//  1. Know several keys at once, by their names or their key ids, and sign with the one that is said to be active. A new key can
//     then be known everywhere before anybody signs with it, and an old one until its last token has expired.
//  2. Say in each token which key it is of (kid), and look only that one up.
//  3. The key says which algorithm its tokens have, never the token (RFC 8725, section 3.1). Else a token could be signed with
//     a public key as if it were a secret, or not at all.
package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// Keyring signs with one key, and accepts tokens of every key it was given.
type Keyring struct {
	keys   map[string]key // by key id
	active string
}

// key verifies tokens of one algorithm; sign is nil where the private half is somewhere else.
type key struct {
	method       jwt.SigningMethod
	sign, verify any
}

// Named takes the keys of a Secret as it hands them out: jwt-secret-v1, jwt-secret-v2 and so on, each a secret or a private key as
// PEM, and perhaps NAME.pub with the public half, which then is what verifies. A key's name is its key id. What it can't read is
// an error: a pod that came up without a key would refuse valid tokens.
func Named(values map[string][]byte, active string) (*Keyring, error) {
	ring := &Keyring{map[string]key{}, active}
	for name, value := range values {
		id, public := strings.CutSuffix(name, ".pub")
		k, err := parse(value)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", name, err)
		}
		if other, both := ring.keys[id]; both && public {
			k.sign = other.sign
		} else if both {
			k.verify = other.verify
		}
		ring.keys[id] = k
	}
	return ring, ring.check()
}

// By has keys that several algorithms could be for sign and verify by another than the usual one: an RSA key by PS256, say.
func (r *Keyring) By(algorithm string) (*Keyring, error) {
	method := jwt.GetSigningMethod(algorithm)
	for id, k := range r.keys {
		if !fits(method, k.verify) {
			return nil, fmt.Errorf("key %s: it can't sign by %s", id, algorithm)
		}
		k.method = method
		r.keys[id] = k
	}
	return r, nil
}

// fits says whether a key is for an algorithm.
func fits(method jwt.SigningMethod, verify any) bool {
	switch m := method.(type) {
	case *jwt.SigningMethodHMAC:
		_, ok := verify.([]byte)
		return ok
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		_, ok := verify.(*rsa.PublicKey)
		return ok
	case *jwt.SigningMethodECDSA:
		k, ok := verify.(*ecdsa.PublicKey)
		return ok && k.Params().BitSize == m.CurveBits
	case *jwt.SigningMethodEd25519:
		_, ok := verify.(ed25519.PublicKey)
		return ok
	}
	return false
}

// check wants the active key to be one that can sign.
func (r *Keyring) check() error {
	if r.keys[r.active].sign == nil {
		return fmt.Errorf("the active key %q is not among the %d that can sign", r.active, len(r.keys))
	}
	return nil
}

// Active is the key id of the key that signs.
func (r *Keyring) Active() string { return r.active }

// Sign makes a token, and says in it which key it is of.
func (r *Keyring) Sign(claims jwt.Claims) (string, error) {
	k := r.keys[r.active]
	t := jwt.NewWithClaims(k.method, claims)
	t.Header["kid"] = r.active
	token, err := t.SignedString(k.sign)
	if err != nil {
		return "", fmt.Errorf("signing with %s: %w", r.active, err)
	}
	return token, nil
}

// Verify accepts an unexpired token of a key it knows, by that key's algorithm alone, and says which key that is.
func (r *Keyring) Verify(token string, claims jwt.Claims) (kid string, err error) {
	_, err = jwt.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		kid, _ = t.Header["kid"].(string)
		k, known := r.keys[kid]
		switch {
		case !known:
			return nil, errors.New("unknown key id")
		case t.Method.Alg() != k.method.Alg():
			return nil, errors.New("another algorithm than the key's")
		}
		return k.verify, nil
	}, jwt.WithExpirationRequired())
	if err != nil {
		return "", err
	}
	return kid, nil
}

// parse reads a secret, or a private or public key as PEM.
func parse(value []byte) (key, error) {
	block, _ := pem.Decode(value)
	switch {
	case len(value) == 0:
		return key{}, errors.New("it is empty")
	case block == nil:
		return key{jwt.SigningMethodHS256, value, value}, nil
	case block.Type == "PUBLIC KEY":
		public, _ := x509.ParsePKIXPublicKey(block.Bytes) // nil is of no kind
		return half(public)
	case block.Type == "EC PRIVATE KEY":
		private, err := x509.ParseECPrivateKey(block.Bytes)
		return pair(private, err)
	case block.Type == "RSA PRIVATE KEY":
		private, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		return pair(private, err)
	}
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	return pair(private, err)
}

func pair(private any, err error) (key, error) {
	signer, ok := private.(crypto.Signer)
	if err != nil || !ok {
		return key{}, errors.New("it is no private key that can be read")
	}
	k, err := half(signer.Public())
	k.sign = private
	return k, err
}

// ofCurve is the one algorithm that goes with each curve (RFC 7518, section 3.4).
var ofCurve = map[string]jwt.SigningMethod{"P-256": jwt.SigningMethodES256, "P-384": jwt.SigningMethodES384, "P-521": jwt.SigningMethodES512}

// half is a public key with the algorithm that goes with it.
func half(public crypto.PublicKey) (key, error) {
	switch p := public.(type) {
	case *rsa.PublicKey:
		return key{method: jwt.SigningMethodRS256, verify: p}, nil
	case *ecdsa.PublicKey:
		if method, ok := ofCurve[p.Params().Name]; ok {
			return key{method: method, verify: p}, nil
		}
	case ed25519.PublicKey:
		return key{method: jwt.SigningMethodEdDSA, verify: p}, nil
	}
	return key{}, errors.New("it is of a kind that is not signed with here")
}
