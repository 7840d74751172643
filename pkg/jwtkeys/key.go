package jwtkeys

import (
	"bytes"
	"crypto"
	"io"
	"strings"
)

// signingKey is a signing key of one kind, in the form in which it was found: a secret that all share, or the private half
// of a pair.
type signingKey interface {
	// String says what it is, without its value: "an RSA key of 2048 bits".
	String() string
	// algorithms are those that it can sign by, the usual one first.
	algorithms() []string
	// weak says what it lacks for one of them, as the rest of a sentence; "" where that is nothing.
	weak(algorithm string) string
	// readings are the keys that it may stand for to who signs with it.
	readings() []reading
	// public is the half that verifies; nil where that takes the key itself.
	public() crypto.PublicKey
	// another makes a new one of the same kind and size, in the same form. It is weak for none of the algorithms.
	another(random io.Reader) ([]byte, error)
	// idle is what may stand under a name that has to be there while this is the active key: only who has this one can
	// sign with it. For the same name it is always the same.
	idle(name string) []byte
}

// reading is a key to sign with, and the one that verifies what it signed.
type reading struct{ sign, verify any }

// read finds out what kind of key a value is. Its errors are the rest of a sentence, and hold nothing of the value.
func read(value []byte) (signingKey, error) {
	text, w := unwrap(value)
	if isPEM(text) {
		return readPEM(text, value, w)
	}
	if isJWK(text) {
		return readJWK(text, value, w)
	}
	return secretKey(value), nil
}

// wrap is how text stands in a Secret where it does not stand as it is: on one line, or in base64.
type wrap func(text []byte) []byte

// unwrap is the text that a value stands for, and the way back. Most stand for themselves.
func unwrap(value []byte) ([]byte, wrap) {
	text := bytes.TrimRight(value, "\r\n")
	end := value[len(text):]
	if escaped := []byte(`\n`); isPEM(text) && bytes.Contains(text, escaped) && !bytes.Contains(text, []byte("\n")) {
		return bytes.ReplaceAll(text, escaped, []byte("\n")),
			func(text []byte) []byte { return append(bytes.ReplaceAll(text, []byte("\n"), escaped), end...) }
	}
	f := formOf(value)
	if f.decode == nil {
		return value, bytes.Clone
	}
	decoded, err := f.decode(strings.NewReplacer("\r", "", "\n", "").Replace(string(text)))
	if err != nil || !isPEM(decoded) && !isJWK(decoded) {
		return value, bytes.Clone
	}
	return decoded, func(text []byte) []byte { return append(f.encode(text), end...) }
}
