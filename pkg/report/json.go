package report

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// JSON writes each event as one line of JSON. The fields are those of [rotation.Event] and part of the documented
// interface: fields may be added to it, none is renamed or removed.
type JSON struct {
	e   *json.Encoder
	err error
}

// NewJSON writes to w.
func NewJSON(w io.Writer) *JSON {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false) // it is read by programs and people, not by browsers
	return &JSON{e: e}
}

// Emit writes one event. It can be a [rotation.Runner]'s Emit. After an error nothing more is written.
func (j *JSON) Emit(e rotation.Event) {
	if j.err == nil {
		j.err = j.e.Encode(e)
	}
}

// Err is the error that ended the writing, or nil.
func (j *JSON) Err() error {
	if j.err != nil {
		return fmt.Errorf("writing events: %w", j.err)
	}
	return nil
}
