package kubesecret

import (
	"bytes"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/ledger"
	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Render gives the keys that have to change for data to say what view says: a nil value removes its
// key, and keys that are as they should be may be among them. live has every version that view
// names.
type Render func(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error)

// Content is how the credential stands in the data of an object, or how the object shows which
// versions to accept.
type Content struct {
	// Parse gives the credential that data says to use, without a version. Its error must hold no
	// value.
	Parse  func(data map[string][]byte) (rotation.Credential, error)
	Render Render
	// Mend is Render for data that somebody else has changed, so that Parse or Render may refuse
	// it; nil is Render.
	Mend Render
	// Keys are the keys that a rotation writes, those that data does not have yet too. Nil: all
	// that data has.
	Keys func(data map[string][]byte) []string
	// Shown is for an object that holds no credential and shows who verifies which of them to
	// accept; it has no Parse then. It refuses data that does not show c as it should.
	Shown func(c rotation.Credential, data map[string][]byte) error
}

var _ ledger.Content = Content{}

// Current is the credential that data says to use.
func (c Content) Current(data map[string][]byte) (rotation.Credential, error) { return c.Parse(data) }

// Changes are the keys that have to be written for data to say what view says; nil removes one.
func (c Content) Changes(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte, mend bool) (map[string][]byte, error) {
	rendered, err := c.Render(view, maps.Clone(live), maps.Clone(data))
	if err != nil && mend && c.Mend != nil {
		rendered, err = c.Mend(view, maps.Clone(live), maps.Clone(data))
	}
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(rendered, func(key string, value []byte) bool {
		now, there := data[key]
		return there == (value != nil) && bytes.Equal(now, value)
	})
	return rendered, nil
}

// RotatedKeys are the keys that a rotation writes.
func (c Content) RotatedKeys(data map[string][]byte) []string {
	if c.Keys == nil {
		return slices.Sorted(maps.Keys(data))
	}
	return c.Keys(data)
}

// Editor is who changed the application's Secret, and what to do where it is a controller that will
// do so again.
func (c Content) Editor(found *corev1.Secret, rec rotation.Record) string {
	return editor("secret", found, c.astray(rec, found.Data))
}

// Inspect refuses a Secret that can't be written or that somebody else would write back.
func (c Content) Inspect(found *corev1.Secret) (notes []string, err error) {
	return inspect("secret", found, c.RotatedKeys(found.Data))
}

// says whether data says view already.
func (c Content) says(view rotation.View, rec rotation.Record, data map[string][]byte) bool {
	changes, err := c.Changes(view, rec.Live, data, false)
	return err == nil && len(changes) == 0
}

// version is the one on record that data holds throughout, the active one first; 0 if it is none.
func (c Content) version(rec rotation.Record, data map[string][]byte) rotation.Version {
	for _, v := range append([]rotation.Version{rec.Active()}, slices.Sorted(maps.Keys(rec.Live))...) {
		if c.says(alone(v), rec, data) {
			return v
		}
	}
	return 0
}

func alone(v rotation.Version) rotation.View {
	return rotation.View{Active: v, Accept: []rotation.Version{v}}
}
