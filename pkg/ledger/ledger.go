package ledger

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

// FieldManager is who the API server says wrote a field. It does not begin with "kubectl": Flux
// takes such fields for edits by hand and strips them.
const FieldManager = "credential-rotation"

// What a rotation adds to the objects that it writes.
const (
	// AnnotationRecord holds intent, editions and marks, as JSON. It holds no value.
	AnnotationRecord = "kubectl-rotate/record"
	// AnnotationLastRotated is when another version was last made active, in RFC 3339.
	AnnotationLastRotated = "kubectl-rotate/last-rotated"
	// AnnotationDecision stands on every other object that a target is published to: the [Decision]
	// of its last write.
	AnnotationDecision = "kubectl-rotate/decision"
)

// suffix makes the name of the Secret that holds the values from that of the annotated one.
const suffix = "-rotate"

// Content is what belongs to the target in the data of the annotated Secret. No error of its
// methods holds a value.
type Content interface {
	// Current is the credential that data says to use, without a version.
	Current(data map[string][]byte) (rotation.Credential, error)
	// Changes are the keys that have to be written for data to say what view says; nil removes one.
	// live has every version that view names. mend says that somebody else may have edited data.
	Changes(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte, mend bool) (map[string][]byte, error)
	// RotatedKeys are the keys that a rotation writes, those that data does not have yet too.
	RotatedKeys(data map[string][]byte) []string
	// Editor is who else wrote one of them last, as far as the API server knows; "" is nobody
	// known.
	Editor(found *corev1.Secret, rec rotation.Record) string
	// Inspect refuses a Secret that can't be written or that somebody else would write back. The
	// notes are what an operator should know before a rotation begins.
	Inspect(found *corev1.Secret) (notes []string, err error)
}

// Ledger is a [rotation.Ledger] in an annotation of one Secret, with the values in a second one.
// Its fields are set once, before its first use; it is safe for concurrent use and remembers
// nothing between calls.
type Ledger struct {
	Secrets corev1client.SecretsGetter
	// Namespace and Name are those of the annotated Secret.
	Namespace string
	Name      string
	// Content is what that Secret holds of the target; nil where it holds nothing that a rotation
	// writes.
	Content Content
	// About is what the second Secret says of the target; the zero value is nothing.
	About About
	// Now is the API server's clock, as well as it is known; nil is the local one.
	Now func() time.Time
	// Rand makes the key that binds editions to their data; nil is crypto/rand.
	Rand io.Reader
}

var _ rotation.Ledger = (*Ledger)(nil)

// snapshot is both Secrets as one read found them, and the places that the credential is published
// to beside them.
type snapshot struct {
	app     *corev1.Secret // the annotated one
	second  *corev1.Secret // nil where there is none yet
	also    []State        // one for each of Store.Also
	entries entries        // from app's annotation
	values  values         // from second
}

// revision names the state of all of them. The UIDs are there for a cluster restored from a backup,
// which may give out a resourceVersion again.
func (p snapshot) revision() string {
	text := objectRevision(p.app)
	if p.second != nil {
		text += "/" + objectRevision(p.second)
	}
	for _, s := range p.also {
		text += "/" + s.Revision()
	}
	return text
}

func objectRevision(s *corev1.Secret) string { return fmt.Sprintf("%s.%s", s.UID, s.ResourceVersion) }

// Load reads both Secrets. A missing second one is an empty record; a missing annotated Secret, or
// one in which the credential can't be found, is refused, with what there is instead. Where a
// rotation is under way and somebody has made the annotated Secret unreadable, it counts as edited:
// the rotation can mend it.
func (l *Ledger) Load(ctx context.Context) (rotation.Record, error) {
	return l.load(func() (snapshot, error) { return l.read(ctx, nil) })
}

// mostReads is how often a record is read until two reads in a row agree that something is lost.
const mostReads = 5

func (l *Ledger) load(read func() (snapshot, error)) (rotation.Record, error) {
	before := ""
	for range mostReads {
		p, err := read()
		if err != nil {
			return rotation.Record{}, err
		}
		rec, err := l.record(p)
		if !torn(p, rec, err) || p.revision() == before {
			return rec, err
		}
		before = p.revision()
	}
	return rotation.Record{}, fmt.Errorf("%s: %w", l.secret(), rotation.ErrConflict)
}

// Note changes intent, high, editions, marks and what was skipped, in one write. A new edition is
// sealed with the data as it is; for the first of all the second Secret is made before, with the
// key for that.
func (l *Ledger) Note(ctx context.Context, revision string, change func(*rotation.Record)) error {
	p, err := l.read(ctx, nil)
	if err != nil {
		return err
	}
	return l.note(ctx, p, revision, change)
}

// read reads both Secrets, from a quorum. The places in also were read before: what one of them was
// written under is no newer than the intent that is read after it.
func (l *Ledger) read(ctx context.Context, also []State) (p snapshot, err error) {
	p.also = also
	if p.app, err = l.get(ctx, l.Name); err != nil {
		if apierrors.IsNotFound(err) {
			return p, l.missing(ctx, err)
		}
		return p, err
	}
	if p.entries, err = decodeEntries(p.app.ObjectMeta); err != nil {
		return p, fmt.Errorf("%s: %w", l.secret(), err)
	}
	p.second, err = l.get(ctx, Record(l.Name))
	switch {
	case apierrors.IsNotFound(err):
		p.second = nil
		return p, nil
	case err != nil:
		return p, err
	case p.second.Type != SecretType:
		return p, rotation.Refuse(rotation.WithHint(
			fmt.Errorf("%s is not a record of kubectl rotate: its type is %q", l.valuesSecret(), p.second.Type),
			"that name is where the record of "+l.Name+" goes: rename the Secret that has it"))
	}
	if p.values, err = decodeValues(p.second.Data); err != nil {
		return p, fmt.Errorf("%s: %w", l.valuesSecret(), err)
	}
	return p, nil
}

func (l *Ledger) get(ctx context.Context, name string) (*corev1.Secret, error) {
	return GetSecret(ctx, l.Secrets, l.Namespace, name)
}

// current is the credential that the annotated Secret says to use.
func (l *Ledger) current(p snapshot) (rotation.Credential, error) {
	if l.Content == nil {
		return rotation.Credential{}, nil
	}
	return l.Content.Current(p.app.Data)
}

// changes are those of data for it to say what view says.
func (l *Ledger) changes(view rotation.View, rec rotation.Record, data map[string][]byte, mend bool) (map[string][]byte, error) {
	if l.Content == nil {
		return nil, nil
	}
	changes, err := l.Content.Changes(view, rec.Live, data, mend)
	if err != nil {
		return nil, fmt.Errorf("writing %v into %s: %w", view.Active, l.secret(), err)
	}
	return changes, nil
}

// sealed are the keys of data that an edition is bound to.
func (l *Ledger) sealed(data map[string][]byte) []string {
	if l.Content == nil {
		return nil
	}
	return l.Content.RotatedKeys(data)
}

// secret names the annotated Secret in errors, and valuesSecret the second one.
func (l *Ledger) secret() string { return fmt.Sprintf("secret %s/%s", l.Namespace, l.Name) }

func (l *Ledger) valuesSecret() string {
	return fmt.Sprintf("secret %s/%s", l.Namespace, Record(l.Name))
}

func (l *Ledger) now() time.Time {
	if l.Now == nil {
		return time.Now()
	}
	return l.Now()
}

func (l *Ledger) random() io.Reader {
	if l.Rand == nil {
		return rand.Reader
	}
	return l.Rand
}

// GetSecret reads a Secret, from a quorum.
func GetSecret(ctx context.Context, secrets corev1client.SecretsGetter, namespace, name string) (*corev1.Secret, error) {
	found, err := secrets.Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, Explain("secrets", "get", namespace, name, err)
	}
	return found, nil
}
