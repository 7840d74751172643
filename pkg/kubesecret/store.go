package kubesecret

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// FieldManager is who the API server says wrote a field. It does not begin with "kubectl": Flux takes such fields
// for edits by hand and strips them.
const FieldManager = "credential-rotation"

// What a rotation adds to the application's Secret.
const (
	// AnnotationRecord holds intent, editions and marks, as JSON. It holds no value.
	AnnotationRecord = "kubectl-rotate/record"
	// AnnotationLastRotated is when another version was last made active, in RFC 3339.
	AnnotationLastRotated = "kubectl-rotate/last-rotated"
)

// suffix makes the name of the Secret that holds the values from that of the application's.
const suffix = "-rotate"

// Store is a [rotation.Store] over one Secret. Its fields are set once, before its first use; it is safe for
// concurrent use and remembers nothing between calls.
type Store struct {
	Secrets   corev1client.SecretsGetter
	Namespace string
	Name      string // of the application's Secret

	// Parse gives the credential that data says to use, without a version. Its error must hold no value.
	Parse func(data map[string][]byte) (rotation.Credential, error)
	// Render gives the keys that have to change for data to say what view says: a nil value removes its key, and keys
	// that are as they should be may be among them. live has every version that view names.
	Render func(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error)
	// Keys are the keys that a rotation writes, those that data does not have yet too. Nil: all that data has.
	Keys func(data map[string][]byte) []string
	// Now is the API server's clock, as well as it is known; nil is the local one.
	Now func() time.Time
	// Rand makes the key that binds editions to their data; nil is crypto/rand.
	Rand io.Reader
}

var _ rotation.Store = (*Store)(nil)

// pair is both Secrets as one look found them.
type pair struct {
	app    *corev1.Secret
	second *corev1.Secret // nil where there is none yet
	ledger ledger         // from app's annotation
	values values         // from second
}

// revision names the state of both Secrets. The UIDs are there for a cluster restored from a backup, which may give
// out a resourceVersion again.
func (p pair) revision() string {
	if p.second == nil {
		return fmt.Sprintf("%s.%s", p.app.UID, p.app.ResourceVersion)
	}
	return fmt.Sprintf("%s.%s/%s.%s", p.app.UID, p.app.ResourceVersion, p.second.UID, p.second.ResourceVersion)
}

// Load reads both Secrets. A missing second one is an empty record; a missing Secret of the application, or one in
// which the credential can't be found, is refused, with what there is instead. Where a rotation is under
// way and somebody has made the application's Secret unreadable, it counts as edited: the rotation can mend it.
func (s *Store) Load(ctx context.Context) (rotation.Record, error) {
	p, err := s.look(ctx)
	if err != nil {
		return rotation.Record{}, err
	}
	return s.record(p)
}

// look reads both Secrets, from a quorum.
func (s *Store) look(ctx context.Context) (p pair, err error) {
	if p.app, err = s.get(ctx, s.Name); err != nil {
		if apierrors.IsNotFound(err) {
			return p, s.missing(ctx, err)
		}
		return p, err
	}
	if p.ledger, err = decodeLedger(p.app); err != nil {
		return p, fmt.Errorf("%s: %w", s.secret(), err)
	}
	p.second, err = s.get(ctx, s.Name+suffix)
	switch {
	case apierrors.IsNotFound(err):
		p.second = nil
		return p, nil
	case err != nil:
		return p, err
	case p.second.Type != recordType:
		return p, rotation.Refuse(rotation.WithHint(
			fmt.Errorf("secret %s/%s is not a record of kubectl rotate: its type is %q", s.Namespace, s.Name+suffix, p.second.Type),
			"that name is where the record of "+s.Name+" goes: rename the Secret that has it"))
	}
	if p.values, err = decodeValues(p.second.Data); err != nil {
		return p, fmt.Errorf("secret %s/%s: %w", s.Namespace, s.Name+suffix, err)
	}
	return p, nil
}

// at is look, with ErrConflict if anything has changed since revision.
func (s *Store) at(ctx context.Context, revision string) (pair, error) {
	p, err := s.look(ctx)
	if err == nil && p.revision() != revision {
		err = fmt.Errorf("%s: %w", s.secret(), rotation.ErrConflict)
	}
	return p, err
}

func (s *Store) get(ctx context.Context, name string) (*corev1.Secret, error) {
	found, err := s.Secrets.Secrets(s.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, s.explain("get", name, err)
	}
	return found, nil
}

// secret names the application's Secret in errors.
func (s *Store) secret() string { return fmt.Sprintf("secret %s/%s", s.Namespace, s.Name) }

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *Store) random() io.Reader {
	if s.Rand == nil {
		return rand.Reader
	}
	return s.Rand
}

// keys are the rotated keys of data.
func (s *Store) keys(data map[string][]byte) []string {
	if s.Keys == nil {
		return sortedKeys(data)
	}
	return s.Keys(data)
}
