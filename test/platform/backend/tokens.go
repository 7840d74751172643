package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// errToken marks a bearer token that is missing or refused.
var errToken = errors.New("token refused")

// keyring signs tokens with the active key and accepts those of every key it was given.
type keyring struct {
	keys     map[string][]byte
	active   string
	lifetime time.Duration
}

func newKeyring(keys map[string][]byte, active string, lifetime time.Duration) (*keyring, error) {
	if len(keys[active]) == 0 {
		return nil, fmt.Errorf("signing keys: the active key %q is not among the %d given", active, len(keys))
	}
	return &keyring{keys, active, lifetime}, nil
}

func (k *keyring) issue(now time.Time) (token string, expires time.Time, err error) {
	expires = now.Add(k.lifetime)
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Subject: "demo", ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
	})
	t.Header["kid"] = k.active
	token, err = t.SignedString(k.keys[k.active])
	if err != nil {
		return "", time.Time{}, fmt.Errorf("signing a token with %s: %w", k.active, err)
	}
	return token, expires, nil
}

// verify accepts an unexpired token of a known key. The algorithm is the verifier's choice, not the token's (RFC 8725, section 3.1).
func (k *keyring) verify(token string) (key string, err error) {
	t, err := jwt.Parse(token, func(t *jwt.Token) (any, error) {
		key, _ = t.Header["kid"].(string)
		if len(k.keys[key]) == 0 {
			return nil, errors.New("unknown key id")
		}
		return k.keys[key], nil
	}, jwt.WithValidMethods([]string{"HS256"}), jwt.WithExpirationRequired())
	if err != nil || !t.Valid {
		return "", errors.Join(errToken, err)
	}
	return key, nil
}

// check verifies the bearer token of a request.
func (k *keyring) check(r *http.Request) error {
	_, err := k.verify(bearer(r))
	return err
}

func bearer(r *http.Request) string {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	return token
}

// token issues a token.
func (b *backend) token(w http.ResponseWriter, r *http.Request) {
	token, expires, err := b.tokens.issue(time.Now())
	if err != nil {
		b.fail(w, r, err)
		return
	}
	b.reply(w, http.StatusCreated, answer{Token: token, Key: b.tokens.active, Expires: &expires})
}

// session says whether a token is accepted: 200, or 401. It is what a rotation of the signing keys probes.
func (b *backend) session(w http.ResponseWriter, r *http.Request) {
	key, err := b.tokens.verify(bearer(r))
	if err != nil {
		b.fail(w, r, err)
		return
	}
	b.reply(w, http.StatusOK, answer{Key: key})
}
