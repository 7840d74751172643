package jwtkeys

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// publicEnd is what the name of a public key ends in where nothing is said of it: it stands beside the private one.
const publicEnd = ".pub"

// publicName is what the public half of the signing key called name is called.
func (l Layout) publicName(name string) string {
	if l.Public == "" {
		return name + publicEnd
	}
	return strings.ReplaceAll(l.Public, "*", strconv.Itoa(l.number(name)))
}

// Signing is the signing key that a key of the Secret is, or is the public half of; "" where it is neither.
func (l Layout) Signing(name string) string {
	if l.Numbered(name) {
		return name
	}
	before, after, _ := strings.Cut(l.Public, "*")
	if l.Public == "" {
		before, after = l.Prefix, publicEnd
	}
	rest, begins := strings.CutPrefix(name, before)
	digits, ends := strings.CutSuffix(rest, after)
	if own := l.Prefix + digits; begins && ends && l.Numbered(own) {
		return own
	}
	return ""
}

// shows says whether public keys stand in data, or should.
func (l Layout) shows(data map[string][]byte) bool {
	if l.Public != "" {
		return true
	}
	for name := range data {
		if l.Key != "" && name == l.Key+publicEnd || l.Signing(name) != "" && !l.Numbered(name) {
			return true
		}
	}
	return false
}

// publish adds to changes of private keys those of their public halves. One that is there already stays byte for byte.
func (l Layout) publish(changes, data map[string][]byte) error {
	if !l.shows(data) {
		return nil
	}
	form := l.publicForm(data)
	for name, value := range maps.Clone(changes) {
		half := l.publicName(name)
		if value == nil {
			changes[half] = nil
			continue
		}
		key, err := read(value)
		if err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
		public := key.public()
		if public == nil {
			continue // a secret has no public half
		}
		if now, _, err := readPublic(data[half]); err == nil && same(now, public) {
			changes[half] = data[half]
			continue
		}
		if changes[half], err = form.seal(public); err != nil {
			return fmt.Errorf("writing the public half of %s: %w", name, err)
		}
	}
	return nil
}

// publicForm is the form of the public keys that data has: that of the last by name.
func (l Layout) publicForm(data map[string][]byte) publicForm {
	for _, name := range slices.Backward(slices.Sorted(maps.Keys(data))) {
		if l.Signing(name) == "" || l.Numbered(name) {
			continue
		}
		if _, form, err := readPublic(data[name]); err == nil {
			return form
		}
	}
	return publicForm{block: "PUBLIC KEY", end: []byte("\n"), wrap: bytes.Clone}
}

// matches refuses a public key that is not the half of the private one that it stands beside.
func (l Layout) matches(name string, key signingKey, data map[string][]byte) error {
	half := l.publicName(name)
	value, there := data[half]
	if !there || key.public() == nil || !l.shows(data) {
		return nil
	}
	public, _, err := readPublic(value)
	if err != nil {
		return fmt.Errorf("key %s %w", half, err)
	}
	if !same(public, key.public()) {
		return fmt.Errorf("key %s is not the public half of %s", half, name)
	}
	return nil
}

func same(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}

// publicForm is how a public key stands as PEM.
type publicForm struct {
	block string
	end   []byte
	wrap  wrap
}

// readPublic reads a public key. Its errors are the rest of a sentence.
func readPublic(value []byte) (crypto.PublicKey, publicForm, error) {
	text, w := unwrap(value)
	f := publicForm{end: text[len(bytes.TrimRight(text, " \t\r\n")):], wrap: w}
	block, rest := pem.Decode(text)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, f, errors.New("should be the PEM of one public key (RFC 7468, section 13)")
	}
	f.block = block.Type
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return nil, f, errors.New("should be a public key, and is PEM of something else")
	}
	if err != nil {
		return nil, f, errors.New("can't be read as the public key that it says to be")
	}
	return key, f, nil
}

// seal writes a public key in the form.
func (f publicForm) seal(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if key, ok := public.(*rsa.PublicKey); ok && f.block == "RSA PUBLIC KEY" {
		der, err = x509.MarshalPKCS1PublicKey(key), nil
	}
	if err != nil {
		return nil, err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: f.block, Bytes: der})
	return f.wrap(append(bytes.TrimRight(block, "\n"), f.end...)), nil
}
