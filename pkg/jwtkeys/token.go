package jwtkeys

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// model is what tokens of a service look like, taken from one that it issued.
type model struct {
	header map[string]any
	claims map[string]any
	life   time.Duration // from iat to exp; 0 where it has no end
}

// modelOf reads a token without looking at its signature.
func modelOf(token string) (model, error) {
	claims := jwt.MapClaims{}
	t, _, err := jwt.NewParser().ParseUnverified(token, claims)
	if err != nil {
		return model{}, errors.New("what it issues is no JSON Web Token") // the error may quote it
	}
	m := model{header: t.Header, claims: claims}
	from, _ := claims.GetIssuedAt()
	if from == nil {
		from, _ = claims.GetNotBefore()
	}
	end, _ := claims.GetExpirationTime()
	switch {
	case end != nil && from != nil:
		m.life = end.Sub(from.Time)
	case end != nil:
		m.life = time.Until(end.Time)
	}
	return m, nil
}

// minted are the times and the key of a token to be made.
type minted struct {
	method jwt.SigningMethod
	key    reading
	kid    string // "" is none
	from   time.Time
	end    time.Time
}

// How long tokens that are made here are valid, before and after now: clocks differ.
const (
	early = 30 * time.Second
	late  = 30 * time.Second
)

// mint makes a token like those of m, with more claims over them.
func (m model) mint(how minted, more map[string]any) (string, error) {
	claims := jwt.MapClaims{}
	maps.Copy(claims, m.claims)
	maps.Copy(claims, more)
	for _, name := range []string{"nbf", "auth_time"} {
		delete(claims, name)
	}
	if claims["sub"] == nil {
		claims["sub"] = "kubectl-rotate"
	}
	claims["jti"], claims["iat"], claims["exp"] = rand.Text(), how.from.Unix(), how.end.Unix()
	t := jwt.NewWithClaims(how.method, claims)
	for _, name := range []string{"typ", "cty"} {
		if v, ok := m.header[name]; ok {
			t.Header[name] = v
		}
	}
	if how.kid != "" {
		t.Header["kid"] = how.kid
	}
	text, err := t.SignedString(how.key.sign)
	if err != nil {
		return "", fmt.Errorf("making a token: %w", err)
	}
	return text, nil
}

// kids are the key ids that a token of the key called id may have: as the model's, else in each of the usual ways.
func kids(m *model, id string, known []string) []string {
	short := id[strings.LastIndexAny(id, "-_.")+1:]
	if m == nil {
		return []string{id, short, ""}
	}
	kid, _ := m.header["kid"].(string)
	for _, one := range known {
		switch {
		case kid == "":
			return []string{""}
		case kid == one:
			return []string{id}
		case strings.HasSuffix(one, kid):
			return []string{id[min(len(one)-len(kid), len(id)):]}
		}
	}
	return []string{id, short, ""}
}

// signedWith says whether key verifies the signature of token, by the algorithm method.
func signedWith(token string, method string, key any) bool {
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{method}), jwt.WithoutClaimsValidation()).
		Parse(token, func(*jwt.Token) (any, error) { return key, nil })
	return err == nil
}
