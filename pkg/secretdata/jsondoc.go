package secretdata

import (
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonDocument is a JSON text in which an object has fields for a login, or a string is a connection string.
func jsonDocument(text string) (document, bool) {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || !strings.ContainsRune(`{["`, rune(trimmed[0])) || !json.Valid([]byte(text)) {
		return document{}, false
	}
	r := &jsonReader{document: document{text: text}}
	r.value("", nil)
	return r.document, len(r.accounts) > 0
}

// jsonReader goes through a JSON text that is known to be valid, and keeps offsets.
type jsonReader struct {
	document
	at int
}

// object is what the fields of one object say: an account for each prefix of their names, so that db_user goes
// with db_password and not with admin_password.
type object map[string]*account

// value reads the value at hand. It is field name of object o, if it belongs to one.
func (r *jsonReader) value(name string, o object) {
	r.space()
	switch r.text[r.at] {
	case '{':
		r.object()
	case '[':
		r.array()
	case '"':
		r.field(name, o, r.string())
	default:
		r.at = upTo(r.text, r.at, len(r.text), ",]} \t\r\n")
	}
}

func (r *jsonReader) object() {
	o := object{}
	for r.at++; r.more('}'); {
		name := r.string()
		r.plain = append(r.plain, name)
		r.space()
		r.at++ // the colon
		r.value(r.text[name.start:name.end], o)
	}
	for _, prefix := range keys(o) {
		r.accounts = append(r.accounts, *o[prefix])
	}
}

// fieldName is a name that ends like that of a login or a password: username, dbUser, POSTGRES_PASSWORD.
var fieldName = regexp.MustCompile(`(?i)^(.*?)(username|user|login|password|passwd|pass|pwd)$`)

// add takes s into the account that its name says it belongs to.
func (o object) add(name string, s spot) bool {
	m := fieldName.FindStringSubmatch(name)
	if o == nil || m == nil {
		return false
	}
	prefix := strings.ToLower(m[1])
	if o[prefix] == nil {
		o[prefix] = &account{}
	}
	return o[prefix].add(m[2], s)
}

func (r *jsonReader) array() {
	for r.at++; r.more(']'); {
		r.value("", nil)
	}
}

// more goes to the next element, or past the end of what is being read.
func (r *jsonReader) more(end byte) bool {
	r.space()
	if r.text[r.at] == ',' {
		r.at++
		r.space()
	}
	if r.text[r.at] == end {
		r.at++
		return false
	}
	return true
}

func (r *jsonReader) space() {
	for r.at < len(r.text) && isSpace(r.text[r.at]) {
		r.at++
	}
}

// string goes past the string at hand and gives what stands between its quotes.
func (r *jsonReader) string() stretch {
	r.at++
	s := stretch{start: r.at}
	for ; r.text[r.at] != '"'; r.at++ {
		if r.text[r.at] == '\\' {
			r.at++
		}
	}
	s.end = r.at
	r.at++
	return s
}

// field takes note of a string: as a login or a password by its name, or as a connection string.
func (r *jsonReader) field(name string, o object, s stretch) {
	if o.add(name, spot{s, jsonString}) {
		return
	}
	value, offsets := jsonDecode(r.text[s.start:s.end])
	inner, ok := recognise(value)
	if !ok {
		r.clearNamed(name, s)
		return
	}
	for _, p := range inner.plain {
		r.plain = append(r.plain, p.within(s, offsets))
	}
	for _, a := range inner.accounts {
		r.accounts = append(r.accounts, account{users: lift(a.users, s, offsets), passwords: lift(a.passwords, s, offsets)})
	}
}

// lift gives spots of a decoded string as spots of the text around it.
func lift(spots []spot, outer stretch, offsets []int) (lifted []spot) {
	for _, s := range spots {
		lifted = append(lifted, spot{s.within(outer, offsets), s.coding.insideJSON()})
	}
	return lifted
}

func (s stretch) within(outer stretch, offsets []int) stretch {
	return stretch{outer.start + offsets[s.start], outer.start + offsets[s.end]}
}

// insideJSON is the coding of a value that stands in a JSON string in the form of c.
func (c coding) insideJSON() coding {
	return coding{
		read: func(raw string) []string {
			value, _ := jsonDecode(raw)
			return c.read(value)
		},
		write: func(value string) string { return jsonEncode(c.write(value)) },
	}
}

// jsonString is a value that stands between the quotes of a JSON string.
var jsonString = coding{read: func(raw string) []string { return []string{raw} }, write: func(value string) string { return value }}.insideJSON()

// jsonDecode reads what stands between the quotes of a valid string. offsets has, for each byte of the value and for
// its end, where in raw it starts.
func jsonDecode(raw string) (value string, offsets []int) {
	var out []byte
	for at := 0; at < len(raw); {
		r, size := jsonRune(raw[at:])
		before := len(out)
		if r == utf8.RuneError && size == 1 {
			out = append(out, raw[at])
		} else {
			out = utf8.AppendRune(out, r)
		}
		for range len(out) - before {
			offsets = append(offsets, at)
		}
		at += size
	}
	return string(out), append(offsets, len(raw))
}

// jsonRune reads one character, escaped or not, and says how many bytes of raw it took.
func jsonRune(raw string) (r rune, size int) {
	if raw[0] != '\\' || len(raw) < 2 {
		return utf8.DecodeRuneInString(raw)
	}
	if raw[1] != 'u' {
		short := map[byte]rune{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}
		if r, ok := short[raw[1]]; ok {
			return r, 2
		}
		return rune(raw[1]), 2
	}
	r = hexRune(raw[2:])
	if utf16.IsSurrogate(r) && len(raw) >= 12 && raw[6] == '\\' && raw[7] == 'u' {
		if pair := utf16.DecodeRune(r, hexRune(raw[8:])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return r, 6
}

// hexRune reads the four digits of an escape.
func hexRune(digits string) (r rune) {
	for i := range min(4, len(digits)) {
		d := strings.IndexByte("0123456789abcdef", digits[i]|0x20)
		r = r<<4 | rune(d)
	}
	return r
}

// jsonEncode writes a value for between the quotes of a string, escaping no more than it must.
func jsonEncode(value string) string {
	var out strings.Builder
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(value) // a string can always be written
	text := strings.TrimSuffix(out.String(), "\n")
	return text[1 : len(text)-1]
}
