package secretdata

import (
	"regexp"
	"strings"
)

// keyword is a name in libpq's key=value form, with the sign after it.
var keyword = regexp.MustCompile(`^\s*([a-z][a-z0-9_]*)\s*=\s*`)

// keyValueDocument is a text in libpq's form: "host=db user='o”b' password=x". A value is quoted, or ends at
// the next space; in both a backslash takes the next character as it is.
func keyValueDocument(text string) (document, bool) {
	d := document{text: text}
	var a account
	for at := 0; strings.TrimSpace(text[at:]) != ""; {
		m := keyword.FindStringSubmatchIndex(text[at:])
		if m == nil {
			return document{}, false
		}
		name := text[at+m[2] : at+m[3]]
		d.plain = append(d.plain, stretch{at, at + m[1]})
		s, next, ok := keyValue(text, at+m[1])
		if !ok {
			return document{}, false
		}
		if !a.add(name, s) {
			d.clearNamed(name, s.stretch)
		}
		at = next
	}
	if len(a.users)+len(a.passwords) == 0 {
		return document{}, false
	}
	d.accounts = []account{a}
	return d, true
}

// keyValue is the value that starts at offset at, and the offset behind it.
func keyValue(text string, at int) (s spot, next int, ok bool) {
	quoted := strings.HasPrefix(text[at:], "'")
	start := at
	if quoted {
		start++
	}
	for i := start; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case quoted && c == '\'':
			return spot{stretch{start, i}, quotedValue}, i + 1, true
		case !quoted && isSpace(c):
			return spot{stretch{start, i}, bareValue}, i, true
		}
	}
	return spot{stretch{start, len(text)}, bareValue}, len(text), !quoted
}

func isSpace(c byte) bool { return strings.IndexByte(" \t\n\r\v\f", c) >= 0 }

var escapes = strings.NewReplacer(`\`, `\\`, `'`, `\'`)

// quotedValue is what stands between quotes, bareValue what stands without; the latter gets quotes if it needs them.
var (
	quotedValue = coding{
		read:  func(raw string) []string { return []string{unescape(raw)} },
		write: escapes.Replace,
	}
	bareValue = coding{
		read: func(raw string) []string { return []string{unescape(raw)} },
		write: func(value string) string {
			if value == "" || strings.ContainsAny(value, " \t\n\r\v\f'\\") {
				return "'" + escapes.Replace(value) + "'"
			}
			return value
		},
	}
)

// unescape takes the character behind each backslash as it is.
func unescape(raw string) string {
	var out strings.Builder
	for i := 0; i < len(raw); i++ {
		if raw[i] == '\\' {
			if i++; i == len(raw) {
				break
			}
		}
		out.WriteByte(raw[i])
	}
	return out.String()
}
