package jwtkeys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// The members of a JSON Web Key that are the key itself (RFC 7518, section 6; RFC 8037, section 2), or go with it.
var (
	publicMembers  = []string{"kty", "crv", "x", "y", "n", "e"}
	privateMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"}
	certificates   = []string{"x5u", "x5c", "x5t", "x5t#S256"}
)

// jwkForm is how a private key stands as a JSON Web Key (RFC 7517).
type jwkForm struct {
	jwk  object
	text []byte
	wrap wrap
}

// readJWK reads one private key.
func readJWK(text, value []byte, w wrap) (signingKey, error) {
	o, err := readObject(text)
	switch {
	case err != nil:
		return nil, err
	case o.has("keys"):
		return nil, errors.New("is a set of keys, where the one to sign with should be")
	case o.text("kty") == "oct":
		return nil, errors.New("is a secret as a JSON Web Key, which is not supported: as text it is")
	case !o.has("d"):
		return nil, errors.New("is a public key, where the private key should be: nothing can be signed with it")
	case o.has("use") && o.text("use") != "sig":
		return nil, errors.New("is a key for something else than signatures (use; RFC 7517, section 4.2)")
	}
	private, err := privateOf(o)
	if err != nil {
		return nil, err
	}
	p := pair{private: private, value: value, form: jwkForm{o, text, w}, kid: o.text("kid")}
	k, err := pairOf(p)
	if err != nil || !o.has("alg") {
		return k, err
	}
	p.alg = o.text("alg")
	if !slices.Contains(k.algorithms(), p.alg) {
		return nil, fmt.Errorf("is %s, and says that it is for another algorithm (alg; RFC 7517, section 4.4)", k)
	}
	return pairOf(p)
}

// seal writes a private key in the form. A certificate of the key before is left out; a key id becomes the key's thumbprint.
func (f jwkForm) seal(private crypto.Signer) ([]byte, error) {
	members, err := publicJWK(private.Public())
	if err != nil {
		return nil, err
	}
	o := f.jwk.without(certificates...)
	for _, m := range append(members, privateJWK(private)...) {
		o = o.with(m[0], m[1])
	}
	if o.has("kid") {
		o = o.with("kid", thumbprint(private.Public()))
	}
	return f.wrap(o.like(f.text)), nil
}

// thumbprint is the key id of a public key: RFC 7638, with SHA-256.
func thumbprint(public crypto.PublicKey) string {
	members, err := publicJWK(public)
	if err != nil {
		return ""
	}
	slices.SortFunc(members, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	var o object
	for _, m := range members {
		o = o.with(m[0], m[1])
	}
	sum := sha256.Sum256(o.bytes())
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// mostBits is how many bits of an RSA key are looked at: more take longer than anybody would wait for.
const mostBits = 16384

// curves are those of RFC 7518, section 6.2.1.1.
var curves = map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}

var (
	errMember = errors.New("lacks a member of its kind, or has it in another form than base64url (RFC 7518, section 6)")
	errKind   = errors.New("is a key of a kind that nothing is signed with (RFC 7518, section 3.1)")
)

// publicOf is the public key in a JSON Web Key.
func publicOf(o object) (crypto.PublicKey, error) {
	switch o.text("kty") {
	case "RSA":
		n, e := o.number("n"), o.number("e")
		if n == nil || n.BitLen() > mostBits || e == nil || !e.IsInt64() || e.Int64() > 1<<31-1 || e.Sign() < 1 {
			return nil, errMember
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
	case "EC":
		curve, ok := curves[o.text("crv")]
		if !ok {
			return nil, errKind
		}
		point := slices.Concat([]byte{4}, o.octets("x"), o.octets("y")) // SEC 1, section 2.3.3
		key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
		if err != nil {
			return nil, errMember
		}
		return key, nil
	case "OKP":
		x := o.octets("x")
		if o.text("crv") != "Ed25519" {
			return nil, errKind
		}
		if len(x) != ed25519.PublicKeySize {
			return nil, errMember
		}
		return ed25519.PublicKey(x), nil
	}
	return nil, errKind
}

// privateOf is the private key in a JSON Web Key.
func privateOf(o object) (crypto.Signer, error) {
	public, err := publicOf(o)
	if err != nil {
		return nil, err
	}
	private, err := o.private(public)
	if err != nil || !same(private.Public(), public) {
		return nil, errMember
	}
	return private, nil
}

func (o object) private(public crypto.PublicKey) (crypto.Signer, error) {
	d := o.octets("d")
	switch public := public.(type) {
	case *rsa.PublicKey:
		k := &rsa.PrivateKey{PublicKey: *public, D: o.number("d"), Primes: []*big.Int{o.number("p"), o.number("q")}}
		if k.D == nil || slices.Contains(k.Primes, nil) || o.has("oth") {
			return nil, errMember
		}
		if err := k.Validate(); err != nil {
			return nil, err
		}
		k.Precompute()
		return k, nil
	case *ecdsa.PublicKey:
		return ecdsa.ParseRawPrivateKey(public.Curve, d)
	}
	if len(d) != ed25519.SeedSize {
		return nil, errMember
	}
	return ed25519.NewKeyFromSeed(d), nil
}

// octets are a member in base64url.
func (o object) octets(name string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(o.text(name))
	if err != nil {
		return nil
	}
	return b
}

// number is a member that is a number in base64url; nil where it is none.
func (o object) number(name string) *big.Int {
	b := o.octets(name)
	if len(b) == 0 {
		return nil
	}
	return new(big.Int).SetBytes(b)
}

// publicJWK are the members of a public key.
func publicJWK(public crypto.PublicKey) ([][2]string, error) {
	text := base64.RawURLEncoding.EncodeToString
	switch k := public.(type) {
	case *rsa.PublicKey:
		return [][2]string{{"kty", "RSA"}, {"n", text(k.N.Bytes())}, {"e", text(big.NewInt(int64(k.E)).Bytes())}}, nil
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			return nil, err
		}
		half := len(point) / 2
		return [][2]string{{"kty", "EC"}, {"crv", k.Params().Name}, {"x", text(point[1 : 1+half])}, {"y", text(point[1+half:])}}, nil
	case ed25519.PublicKey:
		return [][2]string{{"kty", "OKP"}, {"crv", "Ed25519"}, {"x", text(k)}}, nil
	}
	return nil, errKind
}

// privateJWK are the members of a private key beside those of its public half.
func privateJWK(private crypto.Signer) [][2]string {
	text := base64.RawURLEncoding.EncodeToString
	switch k := private.(type) {
	case *rsa.PrivateKey:
		return [][2]string{
			{"d", text(k.D.Bytes())}, {"p", text(k.Primes[0].Bytes())}, {"q", text(k.Primes[1].Bytes())},
			{"dp", text(k.Precomputed.Dp.Bytes())}, {"dq", text(k.Precomputed.Dq.Bytes())}, {"qi", text(k.Precomputed.Qinv.Bytes())},
		}
	case *ecdsa.PrivateKey:
		d, _ := k.Bytes() // it was made by this package
		return [][2]string{{"d", text(d)}}
	case ed25519.PrivateKey:
		return [][2]string{{"d", text(k.Seed())}}
	}
	return nil
}
