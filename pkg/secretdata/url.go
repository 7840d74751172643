package secretdata

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// urlStart is the scheme of a URL, with jdbc: before it or not: "postgresql://", "jdbc:postgresql:".
var urlStart = regexp.MustCompile(`^\s*(?:jdbc:[A-Za-z][A-Za-z0-9+.-]*:(?://)?|[A-Za-z][A-Za-z0-9+.-]*://)`)

// The names that the login and the password have in queries and documents, in small letters.
var (
	userNames     = []string{"user", "username", "login"}
	passwordNames = []string{"password", "passwd", "pass", "pwd"}
)

// urlDocument is a text that is one URL. The login may stand before the hosts, of which there may be several, in
// the query, or in both.
func urlDocument(text string) (document, bool) {
	start := urlStart.FindString(text)
	end := len(strings.TrimRight(text, " \t\r\n"))
	if start == "" || strings.ContainsAny(text[len(start):end], " \t\r\n") {
		return document{}, false
	}
	d := document{text: text, plain: []stretch{{0, len(start)}}}
	authority := len(start)
	if strings.HasSuffix(start, "//") {
		authority = upTo(text, authority, end, "/?#")
	}
	var a account
	hosts := a.userinfo(text, len(start), authority, defaultLogin(start))
	path := upTo(text, authority, end, "?")
	d.query(&a, path+1, end)
	d.clear(stretch{hosts, authority}, plainHosts)
	d.clear(stretch{authority, path}, plainPath)
	if len(a.users)+len(a.passwords) > 0 {
		d.accounts = []account{a}
	}
	return d, true
}

// upTo is the offset of the first of the chars in text[from:end], or end.
func upTo(text string, from, end int, chars string) int {
	if i := strings.IndexAny(text[from:end], chars); i >= 0 {
		return from + i
	}
	return end
}

// userinfo reads the login before the hosts, and gives the offset at which the hosts start.
func (a *account) userinfo(text string, start, end int, implied string) int {
	at := strings.LastIndexByte(text[start:end], '@')
	if at < 0 {
		return start
	}
	at += start
	colon := upTo(text, start, at, ":")
	user := spot{stretch{start, colon}, percent}
	if colon == start && implied != "" {
		user.coding.read = func(string) []string { return []string{implied} }
	}
	a.users = append(a.users, user)
	if colon < at {
		a.passwords = append(a.passwords, spot{stretch{colon + 1, at}, percent})
	}
	return at + 1
}

// defaultLogin is the login that a URL without one means, where that is not left to its surroundings.
func defaultLogin(start string) string {
	scheme, _, _ := strings.Cut(strings.TrimSpace(start), "://")
	if slices.Contains([]string{"redis", "rediss", "valkey", "valkeys"}, scheme) {
		return "default"
	}
	return ""
}

// query reads a login among the parameters in text[start:end].
func (d *document) query(a *account, start, end int) {
	for at := start; at < end; {
		next := upTo(d.text, at, end, "&")
		name, _, ok := strings.Cut(d.text[at:next], "=")
		if ok {
			s := spot{stretch{at + len(name) + 1, next}, percent}
			d.plain = append(d.plain, stretch{at, s.start})
			if !a.add(name, s) {
				d.clearNamed(name, s.stretch)
			}
		}
		at = next + 1
	}
}

// add takes s into the account if its name says that it belongs there.
func (a *account) add(name string, s spot) bool {
	name = strings.ToLower(name)
	switch {
	case slices.Contains(userNames, name):
		a.users = append(a.users, s)
	case slices.Contains(passwordNames, name):
		a.passwords = append(a.passwords, s)
	default:
		return false
	}
	return true
}

// percent is the encoding of URLs. A plus sign is itself to some readers and a space to others, and what is not
// well encoded is taken as it stands; written is only what all of them read alike (RFC 3986 §2.3).
var percent = coding{
	read: func(raw string) (values []string) {
		for _, decode := range []func(string) (string, error){url.PathUnescape, url.QueryUnescape} {
			if v, err := decode(raw); err == nil && !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		if len(values) == 0 {
			values = []string{raw}
		}
		return values
	},
	write: func(value string) string {
		return strings.ReplaceAll(url.QueryEscape(value), "+", "%20")
	},
}
