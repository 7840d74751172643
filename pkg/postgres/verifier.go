package postgres

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const (
	scramPrefix     = "SCRAM-SHA-256$"
	scramIterations = 4096 // PostgreSQL's default, and RFC 7677's minimum
	scramSalt       = 16   // bytes, as PostgreSQL makes them
)

// scramVerifier is what PostgreSQL stores of a password (RFC 5802 and 7677, written as in RFC 5803):
//
//	SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>
//
// Only ASCII passwords are taken: for others the server and its clients apply SASLprep first.
func scramVerifier(password rotation.Secret, iterations int, random io.Reader) (rotation.Secret, error) {
	plain := password.Reveal()
	if !ascii(plain) {
		return rotation.Secret{}, rotation.Refuse(errors.New("the password has characters beyond ASCII, for which no verifier is made here"))
	}
	salt := make([]byte, scramSalt)
	if _, err := io.ReadFull(random, salt); err != nil {
		return rotation.Secret{}, fmt.Errorf("making a salt: %w", err)
	}
	v := scram{iterations: iterations, salt: salt}
	if err := v.derive(plain); err != nil {
		return rotation.Secret{}, err
	}
	return rotation.NewSecret([]byte(v.String())), nil
}

// scram is a SCRAM-SHA-256 verifier.
type scram struct {
	iterations           int
	salt                 []byte
	storedKey, serverKey []byte
}

// derive computes the keys from the password, the salt and the iterations.
func (v *scram) derive(password []byte) error {
	salted, err := pbkdf2.Key(sha256.New, string(password), v.salt, v.iterations, sha256.Size)
	if err != nil {
		return fmt.Errorf("deriving the keys of a verifier: %w", err)
	}
	stored := sha256.Sum256(sign(salted, "Client Key"))
	v.storedKey, v.serverKey = stored[:], sign(salted, "Server Key")
	return nil
}

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// String is the verifier as it is stored. It must not be shown.
func (v *scram) String() string {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("%s%d:%s$%s:%s", scramPrefix, v.iterations, encode(v.salt), encode(v.storedKey), encode(v.serverKey))
}

// parseScram reads a stored verifier; ok is false for anything else.
func parseScram(stored string) (v scram, ok bool) {
	rest, ok := strings.CutPrefix(stored, scramPrefix)
	if !ok {
		return v, false
	}
	params, keys, _ := strings.Cut(rest, "$")
	iterations, salt, _ := strings.Cut(params, ":")
	storedKey, serverKey, _ := strings.Cut(keys, ":")
	var errs [4]error
	v.iterations, errs[0] = strconv.Atoi(iterations)
	v.salt, errs[1] = base64.StdEncoding.DecodeString(salt)
	v.storedKey, errs[2] = base64.StdEncoding.DecodeString(storedKey)
	v.serverKey, errs[3] = base64.StdEncoding.DecodeString(serverKey)
	return v, errors.Join(errs[:]...) == nil && v.iterations > 0
}

// fit is whether a stored verifier is one of a password.
type fit int

const (
	fitUnknown fit = iota // it could not be told
	fitYes
	fitNo
)

// fits compares what the catalogue holds for role with a password.
func fits(stored rotation.Secret, role string, password rotation.Secret) fit {
	text, plain := string(stored.Reveal()), password.Reveal()
	if text == "" {
		return fitNo
	}
	var same bool
	if v, ok := parseScram(text); ok {
		made := scram{iterations: v.iterations, salt: v.salt}
		if err := made.derive(plain); err != nil {
			return fitUnknown
		}
		same = subtle.ConstantTimeCompare(made.storedKey, v.storedKey) == 1
	} else {
		sum := md5.Sum(append(plain, role...)) // how PostgreSQL stored passwords before SCRAM
		same = subtle.ConstantTimeCompare([]byte("md5"+hex.EncodeToString(sum[:])), []byte(text)) == 1
	}
	switch {
	case same:
		return fitYes
	case ascii(plain):
		return fitNo
	}
	return fitUnknown // SASLprep may have changed it
}

func ascii(text []byte) bool {
	for _, b := range text {
		if b == 0 || b > 127 {
			return false
		}
	}
	return len(text) > 0
}
