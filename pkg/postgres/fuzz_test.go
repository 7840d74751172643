package postgres

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzQuoting holds for any text that PostgreSQL can hold: its lexer, as its documentation has it, reads one name or one
// text off the front of what was quoted, that very one, and stops where the quoting stops. What it is with a
// server is seen by TestQuotingMeansWhatTheServersOwnDoes, for the same seeds.
func FuzzQuoting(f *testing.F) {
	for _, text := range oddities {
		f.Add(text)
	}
	f.Add("")
	f.Add(`\`)
	f.Add(`''\'`)
	const rest = " ; SELECT 'x' \"y\""
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return
		}
		if got, left, ok := lexName(ident(text) + rest); text != "" && (!ok || got != text || left != rest) {
			t.Errorf("%s is read as the name %q, and then %q", ident(text), got, left)
		}
		for _, conforming := range []bool{true, false} {
			if got, left, ok := lexText(literal(text)+rest, conforming); !ok || got != text || left != rest {
				t.Errorf("%s is read as the text %q, and then %q (standard_conforming_strings %t)", literal(text), got, left, conforming)
			}
		}
	})
}

// FuzzNames holds for any names: a list written as PostgreSQL stores one is taken apart into the same names.
func FuzzNames(f *testing.F) {
	for _, text := range oddities {
		f.Add(text, "public")
	}
	f.Add(`"`, `,`)
	f.Fuzz(func(t *testing.T, first, second string) {
		if !utf8.ValidString(first) || !utf8.ValidString(second) {
			return
		}
		text := ident(first) + ", " + ident(second)
		names, ok := splitNames(text)
		if !ok || len(names) != 2 || names[0] != first || names[1] != second {
			t.Errorf("%s is taken apart into %q", text, names)
		}
		if names, ok := splitNames(first); ok { // whatever a server stores: what is read is written so that it reads the same
			var quoted []string
			for _, name := range names {
				quoted = append(quoted, ident(name))
			}
			again, ok := splitNames(strings.Join(quoted, ","))
			if !ok || strings.Join(again, "\x00") != strings.Join(names, "\x00") {
				t.Errorf("%q is %q, and then %q", first, names, again)
			}
		}
	})
}

// lexName reads a quoted identifier off the front of sql: a quote in it is doubled.
// Source: PostgreSQL's documentation, "Identifiers and Key Words".
func lexName(sql string) (name, rest string, ok bool) {
	sql, ok = strings.CutPrefix(sql, `"`)
	if !ok {
		return "", sql, false
	}
	return lexQuoted(sql, '"', false)
}

// lexText reads a string constant off the front of sql. In one with E before it, or in any where the server's strings
// do not conform to the standard, a backslash takes the next character as it is (\b, \n, \x… and their like mean others).
// Source: PostgreSQL's documentation, "String Constants with C-Style Escapes".
func lexText(sql string, conforming bool) (text, rest string, ok bool) {
	escapes := !conforming
	if strings.HasPrefix(sql, "E'") {
		sql, escapes = sql[1:], true
	}
	sql, ok = strings.CutPrefix(sql, "'")
	if !ok {
		return "", sql, false
	}
	return lexQuoted(sql, '\'', escapes)
}

// lexQuoted reads up to a quote that is not doubled.
func lexQuoted(sql string, quote byte, escapes bool) (text, rest string, ok bool) {
	var out strings.Builder
	for i := 0; i < len(sql); i++ {
		switch c := sql[i]; {
		case escapes && c == '\\':
			if i++; i == len(sql) || strings.IndexByte("bfnrtuUx01234567", sql[i]) >= 0 {
				return out.String(), "", false // not a character that stands for itself
			}
			out.WriteByte(sql[i])
		case c == quote && i+1 < len(sql) && sql[i+1] == quote:
			out.WriteByte(quote)
			i++
		case c == quote:
			return out.String(), sql[i+1:], true
		default:
			out.WriteByte(c)
		}
	}
	return out.String(), "", false
}
