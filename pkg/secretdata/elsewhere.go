package secretdata

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Locate looks for the credential c in the data of a Secret that nothing says to hold it: for its password, since many
// systems have a login of the same name. It gives the keys that hold the password in any form that it can be read from,
// which a hash is not, and the layout that the Secret seems to have; no keys where it is not there.
func Locate(data map[string][]byte, c rotation.Credential) (l Layout, found []string) {
	password := trimNewline(string(c.Value.Reveal()))
	if password == "" {
		return l, nil
	}
	for _, key := range keys(data) {
		text := string(data[key])
		copied := copyOf(text, c)
		if copied == ofLogin && l.Username == "" {
			l.Username = key
		}
		if copied == ofPassword && l.Password == "" {
			l.Password = key
		}
		if d, ok := recognise(text); ok && l.DSN == "" && slices.ContainsFunc(d.accounts, func(a account) bool { return a.compare(d.text, c) == same && a.clear(d.text) }) {
			l.DSN = key
		}
		if _, ok := findEncoded(text, password, depth); ok || l.DSN == key {
			found = append(found, key)
		}
	}
	if l.Username != "" && l.Password != "" {
		l.DSN = ""
	} else if l.DSN != "" {
		l.Username, l.Password = "", ""
	}
	return l, found
}

// Names says whether text, a setting of a consumer's, names the login: it is the login and nothing else, the login in a
// connection string, or the value of a line that says a user's name. A word in a sentence is none of them.
func Names(text, login string) bool {
	if strings.TrimSpace(text) == login {
		return true
	}
	if d, ok := recognise(text); ok && slices.ContainsFunc(d.accounts, func(a account) bool {
		return slices.ContainsFunc(a.users, func(s spot) bool { return s.holds(d.text, login) })
	}) {
		return true
	}
	name := regexp.QuoteMeta(login)
	return regexp.MustCompile(`://`+name+`[:@]`).MatchString(text) ||
		regexp.MustCompile(`(?im)(user|username|user_name|login|role)["']?\s*[:=]\s*["']?(?-i:`+name+`)["']?\s*[,;}]?\s*$`).MatchString(text)
}
