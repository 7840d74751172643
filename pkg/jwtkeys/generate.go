package jwtkeys

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// keyBytes are the random bytes of a new key: the output of SHA-512, and so enough for each of the algorithms (RFC 7518,
// section 3.2).
const keyBytes = 64

// least is how many bytes the key of an algorithm has at the least, by RFC 7518, section 3.2.
var least = map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}

// Unasked are verifiers that can't be asked: what they do is known by what they were handed alone. It is a [rotation.Probed]
// that proves nothing, and says so.
type Unasked struct {
	Layout Layout
	Lives  time.Duration // how long the longest-lived token is valid; 0: DefaultLifetime, or as issued ones say
	Leeway time.Duration // how far past its end a token may still be accepted
	Rand   io.Reader     // nil is crypto/rand
}

var _ rotation.Probed = Unasked{}

// DefaultLifetime is how long a token counts as valid where nothing says it: as in the runbook.
const DefaultLifetime = 15 * time.Minute

// Probe proves nothing of any pod.
func (Unasked) Probe(_ context.Context, workloads []rotation.Workload, _ rotation.Wanted) (all []rotation.Reply, err error) {
	for _, w := range workloads {
		for _, p := range w.Pods {
			all = append(all, rotation.Reply{Workload: w.Name, Pod: p.Name, Status: rotation.Unproven, Proof: "there is no probe in the configuration"})
		}
	}
	return all, nil
}

// Lifetime is what was said of it.
func (u Unasked) Lifetime(context.Context, []rotation.Workload) (time.Duration, error) {
	if u.Lives == 0 {
		return DefaultLifetime + u.Leeway, nil
	}
	return u.Lives + u.Leeway, nil
}

// Generate makes a key of the same form as the current one.
func (u Unasked) Generate(_ context.Context, v rotation.Version, current rotation.Credential) (rotation.Credential, error) {
	random := u.Rand
	if random == nil {
		random = rand.Reader
	}
	value, err := formOf(current.Value.Reveal()).encoded(func() ([]byte, error) {
		key := make([]byte, keyBytes)
		_, err := io.ReadFull(random, key)
		return key, err
	})
	if err != nil {
		return rotation.Credential{}, fmt.Errorf("making a signing key: %w", err)
	}
	return rotation.Credential{V: v, ID: u.Layout.next(v, current), Value: rotation.NewSecret(value)}, nil
}

// Standing is not known.
func (Unasked) Standing(context.Context, rotation.Credential) ([]rotation.Standing, error) {
	return []rotation.Standing{{Where: "verifiers", Status: rotation.Unproven, Proof: "they read the Secret themselves"}}, nil
}

// InUse is not known: a token leaves no session.
func (Unasked) InUse(context.Context, rotation.Credential) (rotation.Usage, error) {
	return rotation.Usage{}, nil
}

// Weak says what is wrong with a key for an algorithm; "" where nothing is. It can't be seen how who signs reads it, so the
// longest reading counts.
func Weak(c rotation.Credential, algorithm string) string {
	longest := 0
	for _, key := range readings(c.Value.Reveal()) {
		longest = max(longest, len(key))
	}
	if longest < least[algorithm] {
		return fmt.Sprintf("%s has %d bytes, and %s takes %d at least (RFC 7518, section 3.2): whoever has a token can search for it",
			c.ID, longest, algorithm, least[algorithm])
	}
	return ""
}
