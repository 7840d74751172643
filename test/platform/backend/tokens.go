package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	kr "github.com/kubectl-rotate/kubectl-rotate/docs/examples/keyring"
)

// errToken marks a bearer token that is missing or refused.
var errToken = errors.New("token refused")

// keyring issues tokens of one lifetime, and accepts those of every key it was given.
type keyring struct {
	*kr.Keyring
	lifetime time.Duration
	expired  bool // tokens that have expired are accepted
}

// newKeyring takes a key to sign with and the set of those that verify, where there are such; else keys by their names.
func newKeyring(s settings) (*keyring, error) {
	ring, err := kr.Named(s.signingKeys, s.activeKey)
	if s.keySet != nil {
		ring, err = kr.FromSet(s.signingKey, s.keySet)
	}
	if err == nil && s.algorithm != "" {
		ring, err = ring.By(s.algorithm)
	}
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	return &keyring{ring, s.tokenLifetime, s.expiredTokens}, nil
}

func (k *keyring) issue(now time.Time) (token string, expires time.Time, err error) {
	expires = now.Add(k.lifetime)
	token, err = k.Sign(jwt.RegisteredClaims{
		Subject: "demo", ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(expires),
	})
	return token, expires, err
}

// verify accepts a token of a known key that has not expired, or whose end is not checked.
func (k *keyring) verify(token string) (key string, err error) {
	key, err = k.Verify(token, &jwt.RegisteredClaims{})
	if k.expired && errors.Is(err, jwt.ErrTokenExpired) { // its signature was verified before
		return key, nil
	}
	if err != nil {
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
	tokens := b.tokens.Load()
	token, expires, err := tokens.issue(time.Now())
	if err != nil {
		b.fail(w, r, err)
		return
	}
	b.reply(w, http.StatusCreated, answer{Token: token, Key: tokens.Active(), Expires: &expires})
}

// session says whether a token is accepted: 200, or 401. It is what a rotation of the signing keys probes.
func (b *backend) session(w http.ResponseWriter, r *http.Request) {
	key, err := b.tokens.Load().verify(bearer(r))
	if err != nil {
		b.fail(w, r, err)
		return
	}
	b.reply(w, http.StatusOK, answer{Key: key})
}
