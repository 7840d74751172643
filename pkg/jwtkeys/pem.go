package jwtkeys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// pemForm is how a private key stands as PEM (RFC 7468).
type pemForm struct {
	block string // what the block says that it holds
	head  []byte // the block of parameters that `openssl ecparam` writes before the key
	end   []byte // what stands after the last line
	wrap  wrap
}

// encodings are the contents of the blocks that hold private keys.
var encodings = map[string]struct {
	parse   func([]byte) (any, error)
	marshal func(crypto.Signer) ([]byte, error)
}{
	"PRIVATE KEY": { // PKCS #8, RFC 5958
		x509.ParsePKCS8PrivateKey,
		func(k crypto.Signer) ([]byte, error) { return x509.MarshalPKCS8PrivateKey(k) },
	},
	"RSA PRIVATE KEY": { // PKCS #1, RFC 8017
		func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		func(k crypto.Signer) ([]byte, error) { return x509.MarshalPKCS1PrivateKey(k.(*rsa.PrivateKey)), nil },
	},
	"EC PRIVATE KEY": { // SEC 1, RFC 5915
		func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
		func(k crypto.Signer) ([]byte, error) { return x509.MarshalECPrivateKey(k.(*ecdsa.PrivateKey)) },
	},
}

func isPEM(text []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(text), []byte("-----BEGIN ")) }

// readPEM reads one private key. The errors of x509 are not passed on: what they quote is not known.
func readPEM(text, value []byte, w wrap) (signingKey, error) {
	f := pemForm{end: text[len(bytes.TrimRight(text, " \t\r\n")):], wrap: w}
	block, rest := pem.Decode(text)
	if block != nil && block.Type == "EC PARAMETERS" {
		f.head = pem.EncodeToMemory(block)
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("begins like PEM and can't be read as such (RFC 7468, section 2)")
	}
	if err := private(block); err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("holds more than a private key")
	}
	f.block = block.Type
	key, err := encodings[f.block].parse(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("can't be read as the %s that it says to be", strings.ToLower(f.block))
	}
	private, _ := key.(crypto.Signer) // nil is of no kind
	return pairOf(pair{private: private, value: value, form: f})
}

// private refuses what is no private key that can be read.
func private(block *pem.Block) error {
	_, known := encodings[block.Type]
	switch {
	case strings.HasSuffix(block.Type, "PUBLIC KEY"), block.Type == "CERTIFICATE":
		return fmt.Errorf("is a %s, where the private key should be: nothing can be signed with it", strings.ToLower(block.Type))
	case block.Type == "ENCRYPTED PRIVATE KEY", block.Headers["Proc-Type"] != "":
		return errors.New("is encrypted with a passphrase, which only the application knows")
	case !known:
		return errors.New("is PEM, and of something else than a private key")
	}
	return nil
}

// seal writes a private key in the form.
func (f pemForm) seal(private crypto.Signer) ([]byte, error) {
	der, err := encodings[f.block].marshal(private)
	if err != nil {
		return nil, err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: f.block, Bytes: der})
	return f.wrap(slices.Concat(f.head, bytes.TrimRight(block, "\n"), f.end)), nil
}
