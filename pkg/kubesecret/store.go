package kubesecret

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"strings"
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
	// AnnotationDecision stands on every other Secret of the target: the decision that it was last written under.
	AnnotationDecision = "kubectl-rotate/decision"
)

// suffix makes the name of the Secret that holds the values from that of the application's.
const suffix = "-rotate"

// Place is a Secret, and how the credential stands in it.
type Place struct {
	Namespace string
	Name      string

	// Parse gives the credential that data says to use, without a version. Its error must hold no value.
	Parse func(data map[string][]byte) (rotation.Credential, error)
	// Render gives the keys that have to change for data to say what view says: a nil value removes its key, and keys
	// that are as they should be may be among them. live has every version that view names.
	Render func(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error)
	// Mend is Render for data that somebody else has changed, so that Parse or Render may refuse it; nil is Render.
	Mend func(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error)
	// Keys are the keys that a rotation writes, those that data does not have yet too. Nil: all that data has.
	Keys func(data map[string][]byte) []string

	// Shown is for a place that holds no credential and shows who verifies which of them to accept; only for those in Also,
	// which have no Parse then. It refuses data that does not show c as it should.
	Shown func(c rotation.Credential, data map[string][]byte) error
	// ConfigMap says that such a place is one: what it shows is no secret.
	ConfigMap bool
}

// Store is a [rotation.Store] over one Secret, and perhaps others that hold the same credential. Its fields are set
// once, before its first use; it is safe for concurrent use and remembers nothing between calls.
type Store struct {
	Secrets corev1client.SecretsGetter
	// ConfigMaps are needed where one is in Also.
	ConfigMaps corev1client.ConfigMapsGetter
	// Place is the application's Secret: the one that the record stands in.
	Place
	// Also are the others. An edition is written down only when all of them hold what it says.
	Also []Place
	// About is what the second Secret says of the target; the zero value is nothing.
	About About
	// Now is the API server's clock, as well as it is known; nil is the local one.
	Now func() time.Time
	// Rand makes the key that binds editions to their data; nil is crypto/rand.
	Rand io.Reader
}

var _ rotation.Store = (*Store)(nil)

// pair is both Secrets as one look found them, and the others that hold the credential.
type pair struct {
	app    *corev1.Secret
	second *corev1.Secret   // nil where there is none yet
	also   []*corev1.Secret // one for each of Store.Also
	ledger ledger           // from app's annotation
	values values           // from second
}

// revision names the state of all of them. The UIDs are there for a cluster restored from a backup, which may give
// out a resourceVersion again.
func (p pair) revision() string {
	text := fmt.Sprintf("%s.%s", p.app.UID, p.app.ResourceVersion)
	for _, s := range append([]*corev1.Secret{p.second}, p.also...) {
		if s != nil {
			text += fmt.Sprintf("/%s.%s", s.UID, s.ResourceVersion)
		}
	}
	return text
}

// Load reads both Secrets. A missing second one is an empty record; a missing Secret of the application, or one in
// which the credential can't be found, is refused, with what there is instead. Where a rotation is under
// way and somebody has made the application's Secret unreadable, it counts as edited: the rotation can mend it.
func (s *Store) Load(ctx context.Context) (rotation.Record, error) {
	before := ""
	for range mostLooks {
		p, err := s.look(ctx)
		if err != nil {
			return rotation.Record{}, err
		}
		rec, err := s.record(p)
		if !torn(p, rec, err) || p.revision() == before {
			return rec, err
		}
		before = p.revision()
	}
	return rotation.Record{}, fmt.Errorf("%s: %w", s.secret(), rotation.ErrConflict)
}

// mostLooks is how often a record is read until two reads in a row agree that something is lost.
const mostLooks = 5

// look reads all Secrets, from a quorum. The others come first: what one of them was written under is no newer than the
// intent that is read after it.
func (s *Store) look(ctx context.Context) (p pair, err error) {
	if p.also, err = s.others(ctx); err != nil {
		return p, err
	}
	if p.app, err = s.get(ctx, s.Namespace, s.Name); err != nil {
		if apierrors.IsNotFound(err) {
			return p, s.missing(ctx, err)
		}
		return p, err
	}
	if p.ledger, err = decodeLedger(p.app.ObjectMeta); err != nil {
		return p, fmt.Errorf("%s: %w", s.secret(), err)
	}
	p.second, err = s.get(ctx, s.Namespace, s.Name+suffix)
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

func (s *Store) get(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	found, err := s.Secrets.Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, explain("get", namespace, name, err)
	}
	return found, nil
}

// secret names it in errors.
func (p Place) secret() string {
	return fmt.Sprintf("%s %s/%s", strings.ToLower(p.kind()), p.Namespace, p.Name)
}

// kind is what it is.
func (p Place) kind() string {
	if p.ConfigMap {
		return "ConfigMap"
	}
	return "Secret"
}

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
func (p Place) keys(data map[string][]byte) []string {
	if p.Keys == nil {
		return sortedKeys(data)
	}
	return p.Keys(data)
}
