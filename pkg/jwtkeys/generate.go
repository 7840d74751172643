package jwtkeys

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Unasked are verifiers that can't be asked: what they do is known by what they were handed alone. It is a [rotation.Probed]
// that proves nothing, and says so.
type Unasked struct {
	Layout Layout
	// Algorithm is what tokens are signed by, RFC 7518; "" is the usual one of the key in use.
	Algorithm string
	Lives     time.Duration // how long the longest-lived token is valid; 0: DefaultLifetime, or as issued ones say
	Leeway    time.Duration // how far past its end a token may still be accepted
	Rand      io.Reader     // nil is crypto/rand
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

// Generate makes a key of the same kind as the current one, in the same form. One that its algorithm does not take is not given
// out.
func (u Unasked) Generate(_ context.Context, v rotation.Version, current rotation.Credential) (rotation.Credential, error) {
	random := u.Rand
	if random == nil {
		random = rand.Reader
	}
	none := rotation.Credential{}
	key, err := read(current.Value.Reveal())
	if err != nil {
		return none, rotation.Refuse(fmt.Errorf("modelling a signing key on the one in use: %s %w", current.ID, err))
	}
	value, err := key.another(random)
	if err != nil {
		return none, fmt.Errorf("making a signing key: %w", err)
	}
	c := rotation.Credential{V: v, ID: u.Layout.next(v, current), Value: rotation.NewSecret(value)}
	if key, err = read(value); err == nil && u.Layout.signer() {
		c.ID = keyID(key)
	}
	if weak, err := Judge(c, u.Algorithm); err != nil || weak != "" {
		return none, rotation.Refuse(fmt.Errorf("making a signing key: %w", cmp.Or(err, errors.New(weak))))
	}
	return c, nil
}

// Standing is not known.
func (Unasked) Standing(context.Context, rotation.Credential) ([]rotation.Standing, error) {
	return []rotation.Standing{{Where: "verifiers", Status: rotation.Unproven, Proof: "they read the Secret themselves"}}, nil
}

// InUse is not known: a token leaves no session.
func (Unasked) InUse(context.Context, rotation.Credential) (rotation.Usage, error) {
	return rotation.Usage{}, nil
}
