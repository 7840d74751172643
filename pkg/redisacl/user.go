package redisacl

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// unfinished is the hash that a user has beside its own until it was looked at and saved. No password has it that anybody could find.
var unfinished = strings.Repeat("0", sha256.Size*2)

// unended is the hash that a user has beside its own from when a password was taken until the connections are ended that it has opened.
var unended = strings.Repeat("0", sha256.Size*2-1) + "1"

// user is a line of ACL LIST, taken apart.
type user struct {
	name   string
	on     bool
	nopass bool
	hashes []string
	rules  []string // all else, in its order: what it may do
}

// parseUser reads "user backend on #… ~config:* resetchannels &config:* -@all +ping (~x* +get)".
func parseUser(line string) (user, error) {
	words := strings.SplitN(line, " ", 3)
	if len(words) < 2 || words[0] != "user" || words[1] == "" {
		return user{}, fmt.Errorf("not a line of ACL LIST: it begins with %q", words[0])
	}
	u := user{name: words[1]}
	for _, word := range split(strings.Join(words[2:], "")) {
		switch {
		case word == "on":
			u.on = true
		case word == "off":
		case word == "nopass":
			u.nopass = true
		case strings.HasPrefix(word, "#"):
			u.hashes = append(u.hashes, word[1:])
		default:
			u.rules = append(u.rules, word)
		}
	}
	return u, nil
}

// split is the words of a line as the server reads them: one that begins with a parenthesis is a selector, to the word that ends with
// one. Within a pattern a parenthesis means nothing.
func split(line string) (words []string) {
	var selector []string
	for _, word := range strings.Fields(line) {
		switch {
		case selector == nil && (!strings.HasPrefix(word, "(") || strings.HasSuffix(word, ")")):
			words = append(words, word)
		case strings.HasSuffix(word, ")"):
			words, selector = append(words, strings.Join(append(selector, word), " ")), nil
		default:
			selector = append(selector, word)
		}
	}
	if selector != nil {
		words = append(words, strings.Join(selector, " "))
	}
	return words
}

func (u *user) has(hash string) bool { return slices.Contains(u.hashes, hash) }

// text is what the user may do, in one line.
func (u *user) text() string { return strings.Join(u.rules, " ") }

// can is what the user may do, for comparing: servers before 7.2 list single commands in no order, and each in another. Words about
// one command stay in theirs, which matters.
func (u *user) can() string { return canonical(u.rules) }

func canonical(rules []string) string {
	words := slices.DeleteFunc(slices.Clone(rules), func(w string) bool { return w == "sanitize-payload" }) // which is so anyway
	for i, word := range words {
		if strings.HasPrefix(word, "(") {
			words[i] = "(" + canonical(split(strings.TrimSuffix(word[1:], ")"))) + ")"
		}
	}
	for from := 0; from < len(words); from++ {
		to := from
		for to < len(words) && single(words[to]) {
			to++
		}
		slices.SortStableFunc(words[from:to], func(a, b string) int { return strings.Compare(about(a), about(b)) })
		from = max(from, to)
	}
	return strings.Join(words, " ")
}

// single says whether a rule is about one command: +get, -config|set.
func single(rule string) bool {
	return len(rule) > 1 && strings.ContainsRune("+-", rune(rule[0])) && rule[1] != '@'
}

// about is the command that a rule is about, without the subcommand.
func about(rule string) string {
	name, _, _ := strings.Cut(rule[1:], "|")
	return name
}

// hash is how a server stores a password.
func hash(s rotation.Secret) string {
	sum := sha256.Sum256(s.Reveal())
	return hex.EncodeToString(sum[:])
}
