package secretdata

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// read takes the credential from where the layout says that it stands.
func (l Layout) read(data map[string][]byte) (rotation.Credential, error) {
	switch {
	case l.Password == "" && l.DSN == "":
		return rotation.Credential{}, errors.New("the layout of the Secret names no key of a password")
	case l.Password == "":
		return l.readDSN(data)
	}
	login := l.Login
	if l.Username != "" {
		value, err := need(data, l.Username)
		if err != nil {
			return rotation.Credential{}, err
		}
		login = trimNewline(value)
	}
	if login == "" {
		return rotation.Credential{}, errors.New("the layout of the Secret says neither a login nor its key")
	}
	password, err := need(data, l.Password)
	return rotation.Credential{ID: login, Value: rotation.NewSecret([]byte(password))}, err
}

// readDSN takes the credential from a connection string: the one login in it, or the one that the layout names.
func (l Layout) readDSN(data map[string][]byte) (rotation.Credential, error) {
	value, err := need(data, l.DSN)
	if err != nil {
		return rotation.Credential{}, err
	}
	d, ok := recognise(value)
	if !ok {
		return rotation.Credential{}, fmt.Errorf("key %s holds no connection string of a form that is understood", l.DSN)
	}
	var found []rotation.Credential
	for _, a := range d.accounts {
		if c, ok := a.credential(value, l.Login); ok && (len(found) == 0 || !found[0].Same(c)) {
			found = append(found, c)
		}
	}
	switch len(found) {
	case 0:
		return rotation.Credential{}, fmt.Errorf("key %s holds no login with a password", l.DSN)
	case 1:
		return found[0], nil
	}
	return rotation.Credential{}, rotation.WithHint(
		fmt.Errorf("key %s holds more than one login, or more than one password of it", l.DSN),
		"say in the configuration which login it is")
}

// credential is what a says, in the usual reading of each spot. A login that was asked for must be the one.
func (a account) credential(text, login string) (rotation.Credential, bool) {
	users, passwords := filled(text, a.users), filled(text, a.passwords)
	if len(passwords) == 0 || len(users) == 0 && login == "" {
		return rotation.Credential{}, false
	}
	if len(users) > 0 {
		name := users[0].readings(text)[0]
		if login != "" && name != login {
			return rotation.Credential{}, false
		}
		login = name
	}
	password := passwords[0].readings(text)[0]
	return rotation.Credential{ID: login, Value: rotation.NewSecret([]byte(password))}, true
}

// agree compares c with every connection string of the same login, and with the copies, and settles whether a newline at
// the password's end is part of it.
func (l Layout) agree(c rotation.Credential, data map[string][]byte) (rotation.Credential, error) {
	found := l.documents(data)
	if cut := withoutNewline(c); !cut.Same(c) && anySame(found, cut) {
		c = cut
	}
	source := l.Password
	if source == "" {
		source = l.DSN
	}
	for _, key := range keys(found) {
		for _, a := range found[key].accounts {
			if a.compare(found[key].text, c) == differs {
				return rotation.Credential{}, rotation.WithHint(
					fmt.Errorf("keys %s and %s hold different passwords of the login %s", source, key, c.ID),
					"make them agree, or name "+key+" in the configuration among the keys to ignore")
			}
		}
	}
	for _, key := range l.Copies {
		value, err := need(data, key)
		if err != nil {
			return rotation.Credential{}, err
		}
		if copyOf(value, c) == notCopy {
			return rotation.Credential{}, fmt.Errorf("key %s is said to be a copy, and is neither the login nor the password", key)
		}
	}
	return c, nil
}

func withoutNewline(c rotation.Credential) rotation.Credential {
	c.Value = rotation.NewSecret([]byte(trimNewline(string(c.Value.Reveal()))))
	return c
}

// anySame says whether a connection string shows c, with its password.
func anySame(found map[string]document, c rotation.Credential) bool {
	for _, d := range found {
		for _, a := range d.accounts {
			if len(filled(d.text, a.passwords)) > 0 && a.compare(d.text, c) == same {
				return true
			}
		}
	}
	return false
}

// copied is what a whole value is a copy of.
type copied int

const (
	notCopy copied = iota
	ofLogin
	ofPassword
)

// copyOf says what value is a copy of, a newline at its end apart. What is both counts as the password.
func copyOf(value string, c rotation.Credential) copied {
	switch strings.TrimSpace(value) {
	case strings.TrimSpace(string(c.Value.Reveal())):
		return ofPassword
	case c.ID:
		return ofLogin
	}
	return notCopy
}
