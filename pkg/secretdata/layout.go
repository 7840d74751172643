package secretdata

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Layout says where in a Secret's data the credential stands. The usual one is {Username: "username", Password:
// "password"}. Connection strings in other keys are found by looking. At least one of Password and DSN must be set.
type Layout struct {
	Username string   // the key of the login; "" where the Secret has none
	Password string   // the key of the password; "" where it stands only in a connection string
	Login    string   // the login itself, where Username is ""
	DSN      string   // the key of the connection string to read the credential from, where Password is ""
	Copies   []string // keys that hold nothing but one more copy of the login or the password
	Ignore   []string // keys that have nothing to do with the credential
	Implied  string   // the login where there is no key Username; "" where there has to be one
}

// For is the layout of that data: where it has no key for the login, and the layout says which one is meant then, that is the login.
func (l Layout) For(data map[string][]byte) Layout {
	if _, there := data[l.Username]; l.Implied != "" && l.Username != "" && !there {
		l.Username, l.Login = "", l.Implied
	}
	return l
}

// Parse reads the credential that the data holds now; its number is 0. The login is read without a newline
// at its end, as every consumer must. The password is taken as it stands, since some consumers cut a newline off
// and some send it; only where a connection string shows the same password without the newline
// is that the password. See [Layout.Remarks].
//
// A key that is missing, and a connection string that has another password for the same login, are errors.
func (l Layout) Parse(data map[string][]byte) (rotation.Credential, error) {
	c, err := l.read(data)
	if err != nil {
		return rotation.Credential{}, err
	}
	return l.agree(c, data)
}

// Render gives the keys of data that change when the active version of view takes the place of the credential that is
// there, each with its new value: none when it is there already. Connection strings that still hold another of
// the live versions are brought along. Where a copy of a value that is being replaced stands in a form that is
// not understood, it changes nothing and gives an error.
func (l Layout) Render(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
	next, ok := live[view.Active]
	if !ok || next.Value.Empty() {
		return nil, fmt.Errorf("rendering %v: its value is not on record", view.Active)
	}
	old, err := l.Parse(data)
	if err != nil {
		return nil, err
	}
	r := rewrite{layout: l, next: next, old: []rotation.Credential{old}}
	for _, v := range slices.Sorted(maps.Keys(live)) {
		if c := live[v]; v != view.Active && !c.Same(old) && !c.Value.Empty() {
			r.old = append(r.old, c)
		}
	}
	return r.apply(data)
}

// Mend is [Layout.Render] for data that somebody else has changed, and that need not agree with itself any more. The
// keys of the layout are written whatever they hold, and where they are missing; a connection string of a login that
// is on record, or that stands in the data, becomes the next credential whatever its password is. What is not
// understood is an error as before.
func (l Layout) Mend(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
	next, ok := live[view.Active]
	if !ok || next.Value.Empty() {
		return nil, fmt.Errorf("rendering %v: its value is not on record", view.Active)
	}
	r := rewrite{layout: l, next: next, mend: true}
	if there, err := l.read(data); err == nil {
		r.old = append(r.old, there)
	}
	for _, v := range slices.Sorted(maps.Keys(live)) {
		if !live[v].Value.Empty() {
			r.old = append(r.old, live[v])
		}
	}
	return r.apply(data)
}

// Check says whether [Layout.Render] would refuse the data as it is, whatever credential comes next.
func (l Layout) Check(data map[string][]byte) error {
	_, err := l.Keys(data)
	return err
}

// CheckLogin says whether [Layout.Render] would refuse the data as it is, where a credential with another login comes next.
func (l Layout) CheckLogin(data map[string][]byte) error {
	_, err := l.rehearse(data, true)
	return err
}

// Keys are the keys that a rotation changes, sorted.
func (l Layout) Keys(data map[string][]byte) ([]string, error) {
	return l.rehearse(data, false)
}

// rehearse gives the keys that change when some other credential comes next. Its login is another one where the data
// can show that, or always.
func (l Layout) rehearse(data map[string][]byte, always bool) ([]string, error) {
	old, err := l.Parse(data)
	if err != nil {
		return nil, err
	}
	r := rewrite{layout: l, old: []rotation.Credential{old}}
	r.next = rotation.Credential{ID: old.ID, Value: rotation.NewSecret([]byte("the value that comes next"))}
	if always || r.writesLogin(data) {
		r.next.ID += "_next"
	}
	changed, err := r.apply(data)
	return keys(changed), err
}

// Remarks are things about the data that are no errors and that its owner should know, in words, without values.
func (l Layout) Remarks(data map[string][]byte) (remarks []string) {
	if value := string(data[l.Password]); l.Password != "" && trimNewline(value) != value {
		remarks = append(remarks, fmt.Sprintf(
			"key %s ends in a newline, which was taken as part of the password; the next one is written without", l.Password))
	}
	if value := string(data[l.Username]); l.Username != "" && trimNewline(value) != value {
		remarks = append(remarks, fmt.Sprintf("key %s ends in a newline, which is kept and not taken as part of the login", l.Username))
	}
	return append(remarks, l.uncompared(data)...)
}

// uncompared are the keys with hashes that were not compared with the password.
func (l Layout) uncompared(data map[string][]byte) (remarks []string) {
	c, err := l.Parse(data)
	if err != nil {
		return nil // that is said where it is read
	}
	spent := 0
	for _, key := range keys(data) {
		if l.known(key) {
			continue
		}
		e := effort{spent: spent}
		if _, found := e.findHash(string(data[key]), c.ID, trimNewline(string(c.Value.Reveal()))); !found && e.unchecked {
			remarks = append(remarks, fmt.Sprintf("key %s holds hashes that were not compared with the password: one of it would keep the old password", key))
		}
		spent = e.spent
	}
	return remarks
}

// need gives the value of a key that must be there.
func need(data map[string][]byte, key string) (string, error) {
	value, ok := data[key]
	switch {
	case !ok:
		return "", rotation.WithHint(
			fmt.Errorf("there is no key %s in the Secret: it holds %s", key, names(data)),
			"say in the configuration which keys hold the login and the password")
	case len(value) == 0:
		return "", fmt.Errorf("key %s of the Secret is empty", key)
	}
	return string(value), nil
}

func names(data map[string][]byte) string {
	if len(data) == 0 {
		return "nothing"
	}
	return strings.Join(slices.Sorted(maps.Keys(data)), ", ")
}

// trimNewline is text without the newline that `echo` leaves at its end.
func trimNewline(text string) string {
	if cut, ok := strings.CutSuffix(text, "\r\n"); ok {
		return cut
	}
	return strings.TrimSuffix(text, "\n")
}
