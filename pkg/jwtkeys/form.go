package jwtkeys

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode"
	"unicode/utf8"
)

// form is how random bytes stand in a Secret. Whether who signs takes the text itself as the key or what it decodes to can't
// be seen there: a key of the same form serves both.
type form struct {
	name   string // "base64"
	encode func([]byte) []byte
	decode func(string) ([]byte, error) // nil: there is nothing to decode
	avoid  string                       // characters that a new text must not have
	end    string                       // what stands after it: a newline
}

// encoded gives text of the form, from the first of the random bytes that next gives which will do.
func (f form) encoded(next func() ([]byte, error)) ([]byte, error) {
	for {
		b, err := next()
		if err != nil {
			return nil, err
		}
		if text := f.encode(b); !bytes.ContainsAny(text, f.avoid) {
			return append(text, f.end...), nil
		}
	}
}

// specials are the characters in which the alphabets of base64 differ.
const specials = "+/-_"

// leastBytes is how few bytes a text has to decode to, to be taken for encoded: shorter ones are words that happen to fit.
const leastBytes = 16

// formOf is the form that value is in; a newline at its end stays there.
func formOf(value []byte) form {
	text := strings.TrimRight(string(value), "\r\n")
	end := string(value)[len(text):]
	f := textForm(strings.NewReplacer("\r", "", "\n", "").Replace(text))
	f.end = end
	return f
}

func textForm(text string) form {
	for _, f := range []form{
		{name: "hexadecimal", encode: func(b []byte) []byte { return []byte(hex.EncodeToString(b)) }, decode: hex.DecodeString},
		encoded("base64", base64.StdEncoding),
		encoded("base64 without padding", base64.RawStdEncoding),
		encoded("base64url", base64.URLEncoding),
		encoded("base64url without padding", base64.RawURLEncoding),
	} {
		if b, err := f.decode(text); err == nil && len(b) >= leastBytes {
			if !strings.ContainsAny(text, specials) {
				f.avoid = specials // which alphabet it is read in can't be seen: it has to be in both
			}
			return f
		}
	}
	if isText(text) {
		f := encoded("text", base64.RawURLEncoding)
		f.decode = nil
		return f
	}
	return form{name: "bytes", encode: func(b []byte) []byte { return b }, avoid: "\r\n"} // some readers cut them off
}

func encoded(name string, e *base64.Encoding) form {
	return form{name: name, encode: func(b []byte) []byte { return []byte(e.EncodeToString(b)) }, decode: e.DecodeString}
}

func isText(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// readings are the keys that a value may stand for to who signs with it: the text as it is, without a newline at its end,
// and what it decodes to.
func readings(value []byte) (all [][]byte) {
	all = append(all, value)
	text := strings.TrimRight(string(value), "\r\n")
	if len(text) != len(value) {
		all = append(all, []byte(text))
	}
	if f := formOf(value); f.decode != nil {
		if b, err := f.decode(strings.NewReplacer("\r", "", "\n", "").Replace(text)); err == nil {
			all = append(all, b)
		}
	}
	return all
}
