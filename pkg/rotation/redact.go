package rotation

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// shortest is how long a value has to be to be taken out of a text, in bytes. With a shorter one nobody could tell what was a value.
const shortest = 4

// Redact is text without the given values, in the forms in which programs quote them: as they are, in base64, in hexadecimal, and escaped
// for a URL, for JSON or for Go. Where a value is too short for that and may be in it, all of the text goes.
func Redact(text string, values ...[]byte) string {
	for _, v := range values {
		for _, v := range [][]byte{v, bytes.TrimSpace(v)} {
			for _, form := range forms(v) {
				switch {
				case len(form) >= shortest:
					text = strings.ReplaceAll(text, form, Redacted)
				case standsIn(text, form):
					return Redacted
				}
			}
		}
	}
	return text
}

// RedactError is err, or, where its text holds one of the values, an error with the text that is left, which is still what err is.
func RedactError(err error, values ...[]byte) error {
	if text := Redact(err.Error(), values...); text != err.Error() {
		return redactedError{text, err}
	}
	return err
}

type redactedError struct {
	text string
	err  error
}

func (e redactedError) Error() string { return e.text }

// Is gives what err is, and not err itself, whose text could be printed.
func (e redactedError) Is(target error) bool { return errors.Is(e.err, target) }

// forms are how a value may stand in a text. An empty value has none.
func forms(v []byte) (all []string) {
	if len(v) == 0 {
		return nil
	}
	s := string(v)
	quoted, _ := json.Marshal(s) // a string can be encoded
	var plain bytes.Buffer
	e := json.NewEncoder(&plain)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // to a buffer
	all = []string{
		s, url.QueryEscape(s), url.PathEscape(s), strings.ToLower(url.QueryEscape(s)),
		string(quoted[1 : len(quoted)-1]), strings.Trim(strings.TrimSpace(plain.String()), `"`), strings.Trim(strconv.Quote(s), `"`),
		hex.EncodeToString(v),
	}
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		all = append(all, e.EncodeToString(v))
	}
	return all
}

// standsIn says whether a short form is in text by itself, and not a part of a longer word.
func standsIn(text, form string) bool {
	for from := 0; ; {
		i := strings.Index(text[from:], form)
		if i < 0 {
			return false
		}
		i += from
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+len(form):])
		if !inWord(before) && !inWord(after) {
			return true
		}
		from = i + 1
	}
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
