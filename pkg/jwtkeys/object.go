package jwtkeys

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
)

// object is a JSON object whose members keep their order, and stay as they stand unless they are set.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

// errJSON says no more: what the parser quotes may be a part of a key.
var errJSON = errors.New("can't be read as one JSON object with each member once (RFC 7517, section 4)")

func readObject(text []byte) (o object, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errJSON
	}
	for d.More() {
		var m member
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok || o.has(name) || d.Decode(&m.value) != nil {
			return nil, errJSON
		}
		m.name = name
		o = append(o, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, errJSON
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errJSON
	}
	return o, nil
}

func (o object) index(name string) int {
	return slices.IndexFunc(o, func(m member) bool { return m.name == name })
}

func (o object) has(name string) bool { return o.index(name) >= 0 }

// text is a member that is a string; "" where it is none.
func (o object) text(name string) (text string) {
	if i := o.index(name); i >= 0 {
		_ = json.Unmarshal(o[i].value, &text)
	}
	return text
}

// with is o with a member set to a string, in its place where there is one.
func (o object) with(name, text string) object {
	value, _ := json.Marshal(text)
	return o.withRaw(name, value)
}

func (o object) withRaw(name string, value json.RawMessage) object {
	o = slices.Clone(o)
	if i := o.index(name); i >= 0 {
		o[i].value = value
		return o
	}
	return append(o, member{name, value})
}

// without is o less the named members.
func (o object) without(names ...string) object {
	return slices.DeleteFunc(slices.Clone(o), func(m member) bool { return slices.Contains(names, m.name) })
}

// bytes is o on one line.
func (o object) bytes() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(m.name)
		b.Write(name)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// like is o as text is written: on one line or indented, with the same at its end.
func (o object) like(text []byte) []byte {
	line := bytes.TrimRight(text, " \t\r\n")
	var b bytes.Buffer
	_, rest, broken := bytes.Cut(line, []byte("\n"))
	indent := string(rest[:len(rest)-len(bytes.TrimLeft(rest, " \t"))])
	if !broken || json.Indent(&b, o.bytes(), "", indent) != nil {
		b.Reset()
		_ = json.Compact(&b, o.bytes()) // it was read without error, and what is set is ours
	}
	return append(b.Bytes(), text[len(line):]...)
}

// isJWK says whether a text is meant for a JSON Web Key, or a set of them: it may still be no good one.
func isJWK(text []byte) bool {
	t := strings.TrimSpace(string(text))
	return strings.HasPrefix(t, "{") && (strings.Contains(t, `"kty"`) || strings.Contains(t, `"keys"`))
}
