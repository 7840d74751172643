package keyring

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// jwk is a key of RFC 7517: RSA, P-256, P-384, P-521 or Ed25519. D, P and Q are there where it is a private one.
type jwk struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y"`
	N   string `json:"n"`
	E   string `json:"e"`
	D   string `json:"d"`
	P   string `json:"p"`
	Q   string `json:"q"`
	Kid string `json:"kid"`
}

// FromSet takes the private key to sign with, as PEM or as a JSON Web Key, and the set that all who verify read. The key id of the
// private key is what it says of itself, else its thumbprint (RFC 7638). Keys of other kinds in the set are passed over, as RFC 7517,
// section 5, has it.
func FromSet(private, set []byte) (*Keyring, error) {
	own, kid, err := signing(private)
	if err != nil {
		return nil, fmt.Errorf("the key to sign with: %w", err)
	}
	var document struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(set, &document); err != nil {
		return nil, fmt.Errorf("reading the set of keys: %w", err)
	}
	ring := &Keyring{map[string]key{}, cmp.Or(kid, Thumbprint(own.verify))}
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

// signing reads a private key, and the key id that stands with it.
func signing(text []byte) (k key, kid string, err error) {
	var j jwk
	if json.Unmarshal(text, &j) != nil {
		k, err = parse(text)
		return k, "", err
	}
	private, err := j.private()
	if err != nil {
		return key{}, "", err
	}
	k, err = pair(private, nil)
	return k, j.Kid, err
}

var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

// public is the key itself; nil where it is of another kind.
func (j jwk) public() crypto.PublicKey {
	x := octets(j.X)
	switch curve := curves[j.Crv]; {
	case j.Kty == "OKP" && j.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize:
		return ed25519.PublicKey(x)
	case j.Kty == "EC" && curve != nil:
		if k, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, octets(j.Y))); err == nil {
			return k
		}
	case j.Kty == "RSA":
		if e := number(j.E); e.IsInt64() && e.Int64() > 1 && e.Int64() < 1<<31 {
			return &rsa.PublicKey{N: number(j.N), E: int(e.Int64())}
		}
	}
	return nil
}

// private is the key to sign with.
func (j jwk) private() (crypto.Signer, error) {
	d := octets(j.D)
	switch public := j.public().(type) {
	case ed25519.PublicKey:
		if len(d) == ed25519.SeedSize {
			return ed25519.NewKeyFromSeed(d), nil
		}
	case *ecdsa.PublicKey:
		return ecdsa.ParseRawPrivateKey(public.Curve, d)
	case *rsa.PublicKey:
		k := &rsa.PrivateKey{PublicKey: *public, D: number(j.D), Primes: []*big.Int{number(j.P), number(j.Q)}}
		return k, k.Validate()
	}
	return nil, errors.New("it is no private key that can be read")
}

func octets(text string) []byte {
	b, _ := base64.RawURLEncoding.DecodeString(text) // what is none makes no key
	return b
}

func number(text string) *big.Int { return new(big.Int).SetBytes(octets(text)) }

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
		if err != nil {
			return ""
		}
		size := len(point) / 2 // of a coordinate; a 4 stands before both
		members = fmt.Sprintf(`{"crv":"%s","kty":"EC","x":"%s","y":"%s"}`, p.Params().Name, text(point[1:1+size]), text(point[1+size:]))
	case *rsa.PublicKey:
		members = fmt.Sprintf(`{"e":"%s","kty":"RSA","n":"%s"}`, text(big.NewInt(int64(p.E)).Bytes()), text(p.N.Bytes()))
	default:
		return ""
	}
	sum := sha256.Sum256([]byte(members))
	return text(sum[:])
}
