package rotation

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Command is a command line that a person can paste: every word is quoted where a shell would read it otherwise. It is "" where a word
// is empty or has a character that a person does not see.
func Command(words ...string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if w == "" || !utf8.ValidString(w) || strings.ContainsFunc(w, func(r rune) bool { return !Visible(r) }) {
			return ""
		}
		quoted[i] = w
		if strings.ContainsFunc(w, special) {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

// special says whether a shell may read r as something else than itself.
func special(r rune) bool {
	return !unicode.In(r, unicode.Letter, unicode.Digit) && !strings.ContainsRune("/._-:@+,", r)
}

// Visible says whether r is shown as what it is. What controls a terminal, turns the direction of text, breaks a line or takes no column
// is not.
func Visible(r rune) bool {
	return !unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
