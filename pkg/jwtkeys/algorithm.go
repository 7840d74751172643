package jwtkeys

import (
	"fmt"
	"slices"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// algorithm is what tokens are signed by: the key that it takes, and where that is said.
type algorithm struct{ takes, section string }

var algorithms = map[string]algorithm{
	"HS256": {"a secret of 32 bytes at least", "RFC 7518, section 3.2"},
	"HS384": {"a secret of 48 bytes at least", "RFC 7518, section 3.2"},
	"HS512": {"a secret of 64 bytes at least", "RFC 7518, section 3.2"},
	"RS256": {"an RSA key of 2048 bits at least", "RFC 7518, section 3.3"},
	"RS384": {"an RSA key of 2048 bits at least", "RFC 7518, section 3.3"},
	"RS512": {"an RSA key of 2048 bits at least", "RFC 7518, section 3.3"},
	"PS256": {"an RSA key of 2048 bits at least", "RFC 7518, section 3.5"},
	"PS384": {"an RSA key of 2048 bits at least", "RFC 7518, section 3.5"},
	"PS512": {"an RSA key of 2048 bits at least", "RFC 7518, section 3.5"},
	"ES256": {"a key on the curve P-256", "RFC 7518, section 3.4"},
	"ES384": {"a key on the curve P-384", "RFC 7518, section 3.4"},
	"ES512": {"a key on the curve P-521", "RFC 7518, section 3.4"},
	"EdDSA": {"an Ed25519 key", "RFC 8037, section 3.1"},
}

// pinned is the algorithm to sign by: the one that is wanted, if the key is for it; "" is the usual one of its kind.
func pinned(k signingKey, wanted string) (string, error) {
	fit := k.algorithms()
	switch {
	case len(fit) == 0:
		return "", fmt.Errorf("is %s, and there is no algorithm for it (RFC 7518, section 3.1)", k)
	case wanted == "":
		return fit[0], nil
	case slices.Contains(fit, wanted):
		return wanted, nil
	}
	a := algorithms[wanted]
	return "", rotation.WithHint(fmt.Errorf("is %s, and %s takes %s (%s)", k, wanted, a.takes, a.section),
		"say in the configuration what tokens are signed by: jwt.algorithm; without it, that follows the key")
}

// Judge refuses a key that can't sign by the algorithm; "" is the usual one of its kind. About one that can, weak says what
// is wrong with its strength, "" where nothing is: no reason to keep it.
func Judge(c rotation.Credential, algorithm string) (weak string, err error) {
	k, err := read(c.Value.Reveal())
	if err == nil {
		algorithm, err = pinned(k, algorithm)
	}
	if err != nil {
		return "", fmt.Errorf("%s %w", c.ID, err)
	}
	if weak = k.weak(algorithm); weak != "" {
		weak = c.ID + " " + weak
	}
	return weak, nil
}
