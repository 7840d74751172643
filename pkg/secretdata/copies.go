package secretdata

import (
	"regexp"
	"strings"
)

// short is the length below which a password must stand by itself in a text to count as a copy: a few letters
// turn up anywhere.
const short = 8

// strong is the length from which a password is no word that could stand somewhere by coincidence: then even the name
// of a host is a copy of it.
const strong = 20

// depth is how many encodings may lie around a copy: base64 of a connection string in which it is URL-encoded is two.
const depth = 2

var (
	userKey  = regexp.MustCompile(`(?i)(user|username|login|role)$`)
	wordChar = regexp.MustCompile(`[A-Za-z0-9_]`)
)

// isUserName says whether a key of this name holds a login.
func isUserName(key string) bool { return userKey.MatchString(key) }

// Holds says whether text holds the password of a login, as it stands, as a hash of it, or in any encoding or two around each other that are
// known here. A hash that takes too long to be compared, or that nothing here can compute, counts as one of it.
func Holds(text, login, password string) bool {
	var e effort
	_, found := e.findCopy(text, login, password)
	return password != "" && (found || e.unchecked)
}

// findCopy looks for the password of a login in text and says in which form it stands there.
func (e *effort) findCopy(text, login, password string) (form string, found bool) {
	if form, found = e.findHash(text, login, password); found {
		return form, true
	}
	return findEncoded(text, password, depth)
}

// findEncoded looks for password in text, and in all that text can be decoded to.
func findEncoded(text, password string, depth int) (form string, found bool) {
	if contains(text, password) {
		if strings.TrimSpace(text) == password {
			return "plain text", true
		}
		return "inside a longer text", true
	}
	if depth == 0 {
		return "", false
	}
	for _, e := range encodings {
		for _, decoded := range e.decode(text, len(password)) {
			if _, found := findEncoded(decoded, password, depth-1); found {
				return e.name, true
			}
		}
	}
	return "", false
}

// contains says whether password stands in text, and by itself if it is short. A few signs that are neither letters nor
// digits stand in every text, so they only count as the whole of one.
func contains(text, password string) bool {
	if len(password) < short && !wordChar.MatchString(password) {
		return strings.TrimSpace(text) == password
	}
	for from := 0; ; {
		i := strings.Index(text[from:], password)
		if i < 0 {
			return false
		}
		start, end := from+i, from+i+len(password)
		if len(password) >= short || !touchesWord(text, start, end) {
			return true
		}
		from = start + 1
	}
}

// touchesWord says whether a letter or a digit stands right before start or right after end.
func touchesWord(text string, start, end int) bool {
	return wordChar.MatchString(text[max(0, start-1):start]) || wordChar.MatchString(text[end:min(len(text), end+1)])
}
