package jwtkeys

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha512"
	"fmt"
	"io"
)

// secretKey is a secret that who signs and who verifies share, as it stands.
type secretKey []byte

// keyBytes are the random bytes of a new secret: the output of SHA-512, and so enough for each of the algorithms (RFC 7518,
// section 3.2).
const keyBytes = 64

// least is how many bytes the secret of an algorithm has at the least, by RFC 7518, section 3.2.
var least = map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}

func (secretKey) String() string { return "a secret" }

func (secretKey) algorithms() []string { return []string{"HS256", "HS384", "HS512"} }

// weak counts the longest reading: how who signs reads it can't be seen.
func (k secretKey) weak(algorithm string) string {
	longest := 0
	for _, key := range readings(k) {
		longest = max(longest, len(key))
	}
	if longest >= least[algorithm] {
		return ""
	}
	return fmt.Sprintf("has %d bytes, and %s takes %d at least (%s): whoever has a token can search for it",
		longest, algorithm, least[algorithm], algorithms[algorithm].section)
}

func (k secretKey) readings() (all []reading) {
	for _, key := range readings(k) {
		all = append(all, reading{key, key})
	}
	return all
}

func (secretKey) public() crypto.PublicKey { return nil }

func (k secretKey) another(random io.Reader) ([]byte, error) {
	return formOf(k).encoded(func() ([]byte, error) {
		key := make([]byte, keyBytes)
		_, err := io.ReadFull(random, key)
		return key, err
	})
}

// idle is derived from the key: without it, it can't be guessed.
func (k secretKey) idle(name string) []byte {
	n := 0
	value, _ := formOf(k).encoded(func() ([]byte, error) {
		h := hmac.New(sha512.New, k)
		fmt.Fprintf(h, "kubectl-rotate: nobody signs with %s, %d", name, n)
		n++
		return h.Sum(nil), nil
	})
	return value
}
