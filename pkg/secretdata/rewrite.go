package secretdata

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// rewrite puts next in the place of the credential in some data.
type rewrite struct {
	layout Layout
	next   rotation.Credential
	old    []rotation.Credential // the one that is there first, then others that may still stand somewhere
	// mend overwrites what somebody else has put there, which need not agree with itself.
	mend bool
	// effort is what looking for hashes has cost.
	effort *effort
}

// apply gives the keys that change.
func (r rewrite) apply(data map[string][]byte) (map[string][]byte, error) {
	if r.next.ID != r.old[0].ID && !r.writesLogin(data) {
		return nil, rotation.WithHint(
			fmt.Errorf("the login %s stands outside the Secret: it cannot change to %s together with the password", r.old[0].ID, r.next.ID),
			"keep the login in the Secret too, and say its key in the configuration")
	}
	r.effort = &effort{}
	changed, err := r.own(data)
	if err != nil {
		return nil, err
	}
	for _, key := range keys(data) {
		if r.layout.known(key) {
			continue
		}
		text, err := r.value(key, string(data[key]))
		if err != nil {
			return nil, err
		}
		if text != string(data[key]) {
			changed[key] = []byte(text)
		}
	}
	return changed, nil
}

// writesLogin says whether consumers find the login in the data: under its key, or in the connection string.
func (r rewrite) writesLogin(data map[string][]byte) bool {
	if r.layout.Username != "" {
		return true
	}
	d, _ := recognise(string(data[r.layout.DSN]))
	return slices.ContainsFunc(d.accounts, func(a account) bool {
		return len(filled(d.text, a.users)) > 0 && a.compare(d.text, r.old[0]) == same
	})
}

// value rewrites what is understood of one value, and wants nothing of an old credential in the rest of it.
func (r rewrite) value(key, text string) (string, error) {
	d, ok := recognise(text)
	if !ok {
		d = document{text: text}
		d.clearNamed(key, stretch{0, len(text)})
	}
	moved, err := r.ours(d)
	if err != nil {
		return "", fmt.Errorf("key %s %w", key, err)
	}
	for _, c := range r.old {
		if err := r.leftover(key, d, moved, c); err != nil {
			return "", err
		}
	}
	if text, err = r.move(d, moved); err != nil {
		return "", fmt.Errorf("key %s %w", key, err)
	}
	return text, nil
}

// own rewrites the keys that the layout names. What the login stands with, such as a newline, stays; a password is
// written as it is.
func (r rewrite) own(data map[string][]byte) (map[string][]byte, error) {
	changed := map[string][]byte{}
	old := r.old[0]
	if r.next.Same(old) && !r.mend {
		return changed, nil
	}
	if l := r.layout.Username; l != "" && (r.next.ID != old.ID || r.mend) {
		changed[l] = []byte(r.next.ID + strings.TrimPrefix(string(data[l]), trimNewline(string(data[l]))))
	}
	if p := r.layout.Password; p != "" {
		changed[p] = r.next.Value.Reveal()
	}
	for _, key := range r.layout.Copies {
		value, found := r.copied(string(data[key]))
		if !found {
			return nil, rotation.WithHint(fmt.Errorf("key %s is said to be a copy, and holds nothing of any version", key),
				"put a copy of the login or of the password back, or take the key out of the configuration")
		}
		changed[key] = value
	}
	return changed, nil
}

// copied is what a copy of an old credential becomes.
func (r rewrite) copied(value string) (next []byte, found bool) {
	for _, c := range append(slices.Clone(r.old), r.next) {
		switch copyOf(value, c) {
		case ofLogin:
			return []byte(strings.Replace(value, c.ID, r.next.ID, 1)), true
		case ofPassword:
			return r.next.Value.Reveal(), true
		}
	}
	return nil, false
}

// ours says of each account of d whether it is one of the credentials to be replaced.
func (r rewrite) ours(d document) ([]bool, error) {
	moved := make([]bool, len(d.accounts))
	for i, a := range d.accounts {
		wrong := ""
		for _, c := range r.old {
			switch m := a.compare(d.text, c); {
			case m == same && !c.Same(r.next):
				moved[i] = true
			case m == differs && r.mend:
				moved[i] = true
			case m == differs:
				wrong = c.ID
			}
		}
		moved[i] = moved[i] || r.mend && a.compare(d.text, r.next) == differs
		if wrong != "" && !moved[i] && a.compare(d.text, r.next) != same {
			return nil, fmt.Errorf("holds a password of the login %s that is on no record", wrong)
		}
	}
	return moved, nil
}

// move rewrites the accounts of d that moved says, and looks whether each of them now is the next credential.
func (r rewrite) move(d document, moved []bool) (string, error) {
	var edits []edit
	for i, a := range d.accounts {
		if moved[i] {
			edits = append(edits, a.edits(d.text, r.next)...)
		}
	}
	text := apply(d.text, edits)
	again, _ := recognise(text)
	for i := range d.accounts {
		if moved[i] && (i >= len(again.accounts) || again.accounts[i].compare(text, r.next) != same) {
			return "", errors.New("cannot hold the next password in the form that it has")
		}
	}
	return text, nil
}

// leftover wants nothing of c in what was not understood of d.
func (r rewrite) leftover(key string, d document, moved []bool, c rotation.Credential) error {
	if r.next.ID != c.ID && strings.TrimSpace(d.text) == c.ID && isUserName(key) {
		return rotation.WithHint(
			fmt.Errorf("key %s holds the login %s too, and nothing says that it belongs to the rotated one", key, c.ID),
			"name the key in the configuration, among the copies or among the keys to ignore")
	}
	password := trimNewline(string(c.Value.Reveal()))
	if password == "" || r.next.Value.Equal(c.Value) {
		return nil
	}
	if form, ok := r.effort.findCopy(d.rest(moved, len(password) < strong), c.ID, password); ok {
		return rotation.WithHint(
			fmt.Errorf("key %s holds a copy of the password in a form that cannot be rewritten: %s", key, form),
			"take it out, or name the key in the configuration: among the copies if it holds nothing else, or among the keys to ignore")
	}
	return nil
}

// rest is the text of d without the accounts that are moved and those of which it is clear whose they are, and
// without what is no password by its place, if that is to be believed.
func (d document) rest(moved []bool, believe bool) string {
	var edits []edit
	if believe {
		for _, s := range d.plain {
			edits = append(edits, edit{s, "\x00"})
		}
	}
	for i, a := range d.accounts {
		if !moved[i] && !a.clear(d.text) {
			continue
		}
		for _, s := range slices.Concat(a.users, a.passwords) {
			edits = append(edits, edit{s.stretch, "\x00"})
		}
	}
	return apply(d.text, edits)
}
