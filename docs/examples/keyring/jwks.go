package keyring

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
)

// jwk is a public key of a set (RFC 7517), as far as this example goes: Ed25519 and P-256.
type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
	Kid string `json:"kid"`
}

// FromSet takes the private key to sign with, as PEM, and the set that all who verify read. The key id of the private key is its
// thumbprint (RFC 7638). Keys of other kinds in the set are passed over, as RFC 7517, section 5, has it.
func FromSet(private, set []byte) (*Keyring, error) {
	own, err := parse(private)
	if err != nil {
		return nil, fmt.Errorf("the key to sign with: %w", err)
	}
	var document struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(set, &document); err != nil {
		return nil, fmt.Errorf("reading the set of keys: %w", err)
	}
	ring := &Keyring{map[string]key{}, Thumbprint(own.verify)}
	for _, j := range document.Keys {
		if k, err := half(j.public()); err == nil && j.Kid != "" {
			ring.keys[j.Kid] = k
		}
	}
	if k, shown := ring.keys[ring.active]; shown {
		k.sign = own.sign
		ring.keys[ring.active] = k
	}
	return ring, ring.check()
}

// public is the key itself; nil where it is of another kind.
func (j jwk) public() crypto.PublicKey {
	x, _ := base64.RawURLEncoding.DecodeString(j.X)
	y, _ := base64.RawURLEncoding.DecodeString(j.Y)
	switch {
	case j.Kty == "OKP" && j.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize:
		return ed25519.PublicKey(x)
	case j.Kty == "EC" && j.Crv == "P-256":
		if k, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y)); err == nil {
			return k
		}
	}
	return nil
}

// Thumbprint is the key id of a public key: the hash of its required members in the order of their names (RFC 7638). "" where
// this example does not know the kind.
func Thumbprint(public crypto.PublicKey) string {
	text := base64.RawURLEncoding.EncodeToString
	var members string
	switch p := public.(type) {
	case ed25519.PublicKey:
		members = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":"%s"}`, text(p))
	case *ecdsa.PublicKey:
		point, err := p.Bytes()
		if err != nil || len(point) != 65 {
			return ""
		}
		members = fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, text(point[1:33]), text(point[33:]))
	default:
		return ""
	}
	sum := sha256.Sum256([]byte(members))
	return text(sum[:])
}
