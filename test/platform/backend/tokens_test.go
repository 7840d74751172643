package main

import (
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

var (
	oldKey = []byte("a key that is at least thirty-two bytes long")
	newKey = []byte("another key of at least thirty-two bytes too")
)

func ring(t *testing.T, active string, keys map[string][]byte) *keyring {
	t.Helper()
	k, err := newKeyring(settings{signingKeys: keys, activeKey: active, tokenLifetime: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func issued(t *testing.T, k *keyring, at time.Time) string {
	t.Helper()
	token, expires, err := k.issue(at)
	if err != nil || !expires.Equal(at.Add(k.lifetime)) {
		t.Fatalf("issued until %v, %v; want %v", expires, err, at.Add(k.lifetime))
	}
	return token
}

// The four sets of keys that a rotation goes through, and the runbook's mistake between them.
func TestTokensAcrossARotation(t *testing.T) {
	one := ring(t, "jwt-secret-v1", map[string][]byte{"jwt-secret-v1": oldKey})
	published := ring(t, "jwt-secret-v1", map[string][]byte{"jwt-secret-v1": oldKey, "jwt-secret-v2": newKey})
	activated := ring(t, "jwt-secret-v2", map[string][]byte{"jwt-secret-v1": oldKey, "jwt-secret-v2": newKey})
	two := ring(t, "jwt-secret-v2", map[string][]byte{"jwt-secret-v2": newKey})
	tests := []struct {
		name     string
		signer   *keyring
		verifier *keyring
		key      string // empty: refused
	}{
		{"old key everywhere", one, published, "jwt-secret-v1"},
		{"new key published first", activated, published, "jwt-secret-v2"},
		{"old token after the activation", published, activated, "jwt-secret-v1"},
		{"old key taken away", published, two, ""},
		{"new key activated before it is published everywhere", activated, one, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key, err := tt.verifier.verify(issued(t, tt.signer, time.Now()))
			if key != tt.key || (tt.key == "") != errors.Is(err, errToken) {
				t.Errorf("key %q, %v; want %q", key, err, tt.key)
			}
		})
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	k := ring(t, "jwt-secret-v1", map[string][]byte{"jwt-secret-v1": oldKey})
	claims := jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute))}
	sign := func(method jwt.SigningMethod, key any, kid string, c jwt.Claims) string {
		token := jwt.NewWithClaims(method, c)
		token.Header["kid"] = kid
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	for name, token := range map[string]string{
		"none":            "",
		"no algorithm":    sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "jwt-secret-v1", claims),
		"other algorithm": sign(jwt.SigningMethodHS512, oldKey, "jwt-secret-v1", claims),
		"other key":       sign(jwt.SigningMethodHS256, newKey, "jwt-secret-v1", claims),
		"unknown key id":  sign(jwt.SigningMethodHS256, oldKey, "jwt-secret-v9", claims),
		"without an end":  sign(jwt.SigningMethodHS256, oldKey, "jwt-secret-v1", jwt.RegisteredClaims{}),
		"already expired": issued(t, k, time.Now().Add(-time.Hour)),
		"not a token":     "a.b.c",
		"empty key id":    sign(jwt.SigningMethodHS256, oldKey, "", claims),
	} {
		if key, err := k.verify(token); !errors.Is(err, errToken) {
			t.Errorf("%s: accepted by key %q, %v", name, key, err)
		}
	}
}

func TestActiveKeyMustBeGiven(t *testing.T) {
	if _, err := newKeyring(settings{signingKeys: map[string][]byte{"jwt-secret": oldKey}, activeKey: "jwt-secret-v1"}); err == nil {
		t.Error("no error: the pod would start and sign with nothing")
	}
}

// An application that leaves the check of a token's end out checks the signature all the same.
func TestExpiredTokensAreAcceptedOnRequest(t *testing.T) {
	one := ring(t, "jwt-secret-v1", map[string][]byte{"jwt-secret-v1": oldKey})
	two := ring(t, "jwt-secret-v2", map[string][]byte{"jwt-secret-v2": newKey})
	past := time.Now().Add(-time.Hour)
	if _, err := one.verify(issued(t, one, past)); !errors.Is(err, errToken) {
		t.Errorf("an expired token: %v; want it refused", err)
	}
	one.expired = true
	if _, err := one.verify(issued(t, one, past)); err != nil {
		t.Errorf("an expired token, on request: %v", err)
	}
	if _, err := one.verify(issued(t, two, past)); !errors.Is(err, errToken) {
		t.Errorf("an expired token of another key: %v; want it refused", err)
	}
}
