package jwtkeys

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// forgery is a token that nobody may accept, and what it is.
type forgery struct {
	how  minted
	what string
}

// forged asks about tokens that nobody may accept, beside a good one that the pod accepts. A pod that accepts one of them accepts
// anything, and proves nothing. In an emergency it proves by what it makes of the stolen key, and all that is wrong is told.
func (v *visit) forged(ctx context.Context, good minted) (rotation.Status, string) {
	for _, try := range v.forgeries(good) {
		switch said, why := v.says(ctx, try.how); said {
		case accepted:
			if status, proof := v.fault("accepts a token " + try.what); status != rotation.Accepts {
				return status, proof
			}
		case unclear:
			if !v.urgent {
				return rotation.Unknown, why
			}
			v.faults = append(v.faults, fmt.Sprintf("does not say whether it accepts a token %s (%s)", try.what, why))
		}
	}
	return rotation.Accepts, ""
}

// forgeries are of an unknown key under a known name, without a signature, past their end, and of a public key that is taken
// for a secret (RFC 8725, sections 2.1, 3.1 and 3.2).
func (v *visit) forgeries(good minted) []forgery {
	stranger, none, old, confused := good, good, good, good
	stranger.key = v.unknown
	none.method, none.key.sign = jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType
	old.from, old.end = good.from.Add(-48*time.Hour), good.from.Add(-24*time.Hour)
	all := []forgery{
		{stranger, "of a key that nobody knows"},
		{none, "without a signature (alg none; RFC 8725, section 3.2)"},
		{old, "that expired a day ago"},
	}
	if der, err := x509.MarshalPKIXPublicKey(good.key.verify); err == nil {
		confused.method, confused.key.sign = jwt.SigningMethodHS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		all = append(all, forgery{confused, "that is signed with the public key as if it were a secret (RFC 8725, section 2.1)"})
	}
	return all
}

// stranger is a key of the same kind as c that nobody knows. It is made once for each kind: an RSA key takes its time.
func (a *Asked) stranger(c rotation.Credential) (reading, error) {
	key, err := read(c.Value.Reveal())
	if err != nil {
		return reading{}, nil // no token of c can be made, and so none of its kind
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	kind := key.String()
	if known, made := a.strangers[kind]; made {
		return known, nil
	}
	value, err := key.another(rand.Reader)
	if err == nil {
		key, err = read(value)
	}
	if err != nil {
		return reading{}, fmt.Errorf("making a key that nobody knows: %w", err)
	}
	if a.strangers == nil {
		a.strangers = map[string]reading{}
	}
	a.strangers[kind] = key.readings()[0]
	return a.strangers[kind], nil
}
