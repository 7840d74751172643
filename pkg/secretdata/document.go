package secretdata

import (
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// document is the value of a key in which connections are described in a form that is understood.
type document struct {
	text     string
	accounts []account
	plain    []stretch // what is known to be no password: hosts, ports, names of databases
}

// account is one login in a document, with its password. Either may be missing, and either may stand there
// more than once.
type account struct {
	users     []spot
	passwords []spot
}

// stretch is a part of a text, by the offsets of its bytes.
type stretch struct{ start, end int }

// spot is the stretch that a login or a password stands in, and the encoding it has there.
type spot struct {
	stretch
	coding coding
}

// coding is how a value stands in a text. What one consumer reads as a space is a plus sign to another, so
// there may be several readings, the usual one first; what is written has only one.
type coding struct {
	read  func(raw string) []string
	write func(value string) string
}

// recognise gives the document that text is. It is none if no login, and no place for one, is seen in it.
func recognise(text string) (document, bool) {
	for _, form := range []func(string) (document, bool){jsonDocument, urlDocument, keyValueDocument} {
		if d, ok := form(text); ok {
			return d, true
		}
	}
	return document{}, false
}

// documents are the values that are understood, by their keys. The keys that hold the credential itself are
// not among them.
func (l Layout) documents(data map[string][]byte) map[string]document {
	found := map[string]document{}
	for key, value := range data {
		if l.known(key) {
			continue
		}
		if d, ok := recognise(string(value)); ok {
			found[key] = d
		}
	}
	return found
}

// known says whether the layout itself says what a key holds.
func (l Layout) known(key string) bool {
	return key == l.Username || key == l.Password || slices.Contains(l.Copies, key) || slices.Contains(l.Ignore, key)
}

// keys gives the keys of documents or data in a fixed order.
func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// readings are the values that may stand in s.
func (s spot) readings(text string) []string { return s.coding.read(text[s.start:s.end]) }

// holds says whether value can be read from s.
func (s spot) holds(text, value string) bool { return slices.Contains(s.readings(text), value) }

// filled are the spots that hold a value: not nothing, and not a reference that is replaced before it is used.
func filled(text string, spots []spot) (some []spot) {
	for _, s := range spots {
		if r := s.readings(text); len(r) > 0 && r[0] != "" && !isReference(r[0]) {
			some = append(some, s)
		}
	}
	return some
}

// isReference says whether text stands for a value kept elsewhere: $(NAME), ${NAME}, {{ name }}.
func isReference(text string) bool {
	for _, ends := range [][2]string{{"$(", ")"}, {"${", "}"}, {"{{", "}}"}} {
		if strings.HasPrefix(text, ends[0]) && strings.HasSuffix(text, ends[1]) {
			return true
		}
	}
	return false
}

// allHold says whether value can be read from every one of spots.
func allHold(text string, spots []spot, value string) bool {
	return !slices.ContainsFunc(spots, func(s spot) bool { return !s.holds(text, value) })
}

// match is how an account compares with a credential.
type match int

const (
	foreign match = iota // it is another login
	differs              // it is this login, with another password
	same
)

// compare says whether a, which stands in text, is c. Without a login in it, its password decides alone.
func (a account) compare(text string, c rotation.Credential) match {
	users, passwords := filled(text, a.users), filled(text, a.passwords)
	held := allHold(text, passwords, string(c.Value.Reveal()))
	switch {
	case len(users) == 0 && len(passwords) > 0 && held:
		return same
	case len(users) == 0 || !allHold(text, users, c.ID):
		return foreign
	case !held:
		return differs
	}
	return same
}

// clear says whether all logins in a are the same one, and it has a password beside it: then what stands there is
// that login's, whoever it is. A login alone may be a password in the wrong place.
func (a account) clear(text string) bool {
	users, passwords := filled(text, a.users), filled(text, a.passwords)
	return len(users) > 0 && len(passwords) > 0 && allHold(text, users, users[0].readings(text)[0])
}

// edits are what has to be written into text for a to become c.
func (a account) edits(text string, c rotation.Credential) (all []edit) {
	for _, s := range filled(text, a.users) {
		all = append(all, s.become(text, c.ID)...)
	}
	for _, s := range filled(text, a.passwords) {
		all = append(all, s.become(text, string(c.Value.Reveal()))...)
	}
	return all
}

// become gives the edit after which s holds value in the usual reading; none where it does.
func (s spot) become(text, value string) []edit {
	if s.readings(text)[0] == value {
		return nil
	}
	return []edit{{s.stretch, s.coding.write(value)}}
}

// edit puts text in the place of a stretch.
type edit struct {
	stretch
	text string
}

// apply makes edits, which must not overlap, in text.
func apply(text string, edits []edit) string {
	slices.SortFunc(edits, func(a, b edit) int { return a.start - b.start })
	var out strings.Builder
	at := 0
	for _, e := range edits {
		out.WriteString(text[at:e.start])
		out.WriteString(e.text)
		at = e.end
	}
	out.WriteString(text[at:])
	return out.String()
}
