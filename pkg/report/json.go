package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// JSON writes each event as one line of JSON. The fields are those of [rotation.Event] and part of the documented
// interface: fields may be added to it, none is renamed or removed.
type JSON struct {
	p   *Printer
	err error
}

// NewJSON prints by p.
func NewJSON(p *Printer) *JSON { return &JSON{p: p} }

// Emit writes one event. It can be a [rotation.Runner]'s Emit. After an error nothing more is written.
func (j *JSON) Emit(e rotation.Event) {
	if j.err == nil {
		j.err = j.p.JSON(e, "")
	}
}

// Err is the error that ended the writing, or nil.
func (j *JSON) Err() error {
	if j.err != nil {
		return fmt.Errorf("writing events: %w", j.err)
	}
	return nil
}

// JSON prints v as JSON. A character that could do something to a terminal is escaped: whoever decodes it gets all that v holds.
func (p *Printer) JSON(v any, indent string) error {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false) // it is read by programs and people, not by browsers
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return err
	}
	return p.write(escaped(out.String()))
}

// escaped is JSON in which characters that are not shown are written as numbers. Outside of strings JSON has none of them.
func escaped(text string) string {
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || shownAs(r) == r:
			out.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			out.WriteString(fmt.Sprintf(`\u%04x\u%04x`, high, low))
		default:
			out.WriteString(fmt.Sprintf(`\u%04x`, r))
		}
	}
	return out.String()
}
