package jwtkeys

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"io"
)

// pair is a private key with its public half, as it stands in a Secret.
type pair struct {
	private crypto.Signer
	value   []byte
	form    envelope
	alg     string // the only algorithm it is for; "" where nothing says so
	kid     string // its key id; "" where none stands with it
}

// envelope is the form in which a private key stands.
type envelope interface {
	seal(private crypto.Signer) ([]byte, error)
}

// pairOf is p as a key of its kind.
func pairOf(p pair) (signingKey, error) {
	switch p.private.(type) {
	case *rsa.PrivateKey:
		return rsaKey{p}, nil
	case *ecdsa.PrivateKey:
		return ecKey{p}, nil
	case ed25519.PrivateKey:
		return edKey{p}, nil
	}
	return nil, errKind
}

// only are the algorithms of a kind, less those that the key is not for.
func (p pair) only(all ...string) []string {
	if p.alg != "" {
		return []string{p.alg}
	}
	return all
}

// id is the key id: as it stands with the key, else its thumbprint.
func (p pair) id() string { return cmp.Or(p.kid, thumbprint(p.public())) }

func (p pair) readings() []reading { return []reading{{p.private, p.public()}} }

func (p pair) public() crypto.PublicKey { return p.private.Public() }

// idle is the key itself, under one more name.
func (p pair) idle(string) []byte { return p.value }

// leastBits is how many bits an RSA key has at the least, by RFC 7518, sections 3.3 and 3.5.
const leastBits = 2048

type rsaKey struct{ pair }

func (k rsaKey) bits() int { return k.private.(*rsa.PrivateKey).N.BitLen() }

func (k rsaKey) String() string { return fmt.Sprintf("an RSA key of %d bits", k.bits()) }

func (k rsaKey) algorithms() []string {
	return k.only("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
}

func (k rsaKey) weak(algorithm string) string {
	if k.bits() >= leastBits {
		return ""
	}
	return fmt.Sprintf("has %d bits, and %s takes %d at least (%s)", k.bits(), algorithm, leastBits, algorithms[algorithm].section)
}

func (k rsaKey) another(random io.Reader) ([]byte, error) {
	private, err := rsa.GenerateKey(random, max(leastBits, k.bits()))
	if err != nil {
		return nil, err
	}
	return k.form.seal(private)
}

type ecKey struct{ pair }

func (k ecKey) curve() string { return k.private.(*ecdsa.PrivateKey).Params().Name }

func (k ecKey) String() string { return "a key on the curve " + k.curve() }

func (k ecKey) algorithms() []string {
	switch k.curve() {
	case "P-256":
		return k.only("ES256")
	case "P-384":
		return k.only("ES384")
	case "P-521":
		return k.only("ES512")
	}
	return nil
}

func (ecKey) weak(string) string { return "" }

func (k ecKey) another(random io.Reader) ([]byte, error) {
	private, err := ecdsa.GenerateKey(k.private.(*ecdsa.PrivateKey).Curve, random)
	if err != nil {
		return nil, err
	}
	return k.form.seal(private)
}

type edKey struct{ pair }

func (edKey) String() string { return "an Ed25519 key" }

func (k edKey) algorithms() []string { return k.only("EdDSA") }

func (edKey) weak(string) string { return "" }

func (k edKey) another(random io.Reader) ([]byte, error) {
	_, private, err := ed25519.GenerateKey(random)
	if err != nil {
		return nil, err
	}
	return k.form.seal(private)
}
