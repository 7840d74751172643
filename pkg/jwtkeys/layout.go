package jwtkeys

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Layout says where in a Secret's data the signing keys stand. As the runbook has it, that is {Active: "active-key", Prefix:
// "jwt-secret-v"}: numbered keys, and one that names the one to sign with. The ID of a credential is its key's name.
type Layout struct {
	Active string // the key that names the active one; "" where Key is the only one
	Prefix string // what the names of signing keys begin with, before a number
	Key    string // the only signing key, where there is no room for another one
	// Public is what the public halves of keys are called, with a * for the number. "": as their private keys, and .pub, where there
	// are such.
	Public string
	// Set is the key with the JSON Web Key Set that verifiers are shown; "" where there is none. With it, Key has room for
	// another one: only who signs reads that. The ID of a credential is its kid then.
	Set string
	// Apart says that the set stands in an object of its own, which ShowSet renders and Shown looks at.
	Apart bool
	// Leaked says that the key in use has leaked. Somebody may have taken it out of the set already, as he should, or it stands there
	// with its private half, which is how it leaked: neither is a reason not to replace it.
	Leaked bool
	// Named are signing keys that consumers are handed one by one, by their names: those have to be there for a pod to
	// start, and others are not seen. Nil: consumers are handed all there are.
	Named []string
}

// Parse reads the key that the data says to sign with; its number is 0.
func (l Layout) Parse(data map[string][]byte) (rotation.Credential, error) {
	name, err := l.current(data)
	if err != nil {
		return rotation.Credential{}, err
	}
	value, there := data[name]
	switch {
	case !there:
		return rotation.Credential{}, fmt.Errorf("key %s names %s as the active one, and there is no such key", l.Active, name)
	case len(value) == 0:
		return rotation.Credential{}, fmt.Errorf("key %s is empty", name)
	}
	key, err := read(value)
	if err != nil {
		return rotation.Credential{}, fmt.Errorf("key %s %w", name, err)
	}
	if err := l.matches(name, key, data); err != nil {
		return rotation.Credential{}, err
	}
	c := rotation.Credential{ID: name, Value: rotation.NewSecret(value)}
	switch {
	case l.Set != "" && !l.Apart:
		return l.parseSet(c, key, data)
	case l.signer():
		c.ID = l.ids(name, key, data)[0]
	}
	return c, nil
}

// current is the name of the key to sign with.
func (l Layout) current(data map[string][]byte) (string, error) {
	if l.Key != "" {
		if _, there := data[l.Key]; !there {
			return "", rotation.WithHint(fmt.Errorf("there is no key %s, where the signing key should be", l.Key), "say in the configuration which key it is: jwt.key")
		}
		return l.Key, nil
	}
	text, there := data[l.Active]
	if !there {
		return "", l.lacking(data)
	}
	name := strings.TrimSpace(string(text))
	if l.Numbered(name) {
		return name, nil
	}
	word := strings.TrimRight(name, "0123456789")
	full := l.Prefix + name[len(word):] // "v2" for jwt-secret-v2
	if _, there := data[full]; there && l.Numbered(full) && strings.HasSuffix(l.Prefix, word) {
		return full, nil
	}
	return "", fmt.Errorf("key %s does not name a signing key: those are called %s and a number", l.Active, l.Prefix)
}

// lacking is the refusal of a Secret in which nothing names the active key.
func (l Layout) lacking(data map[string][]byte) error {
	err := fmt.Errorf("there is no key %s, which should name the active signing key", l.Active)
	if bare := strings.TrimSuffix(l.Prefix, "-v"); len(data[bare]) > 0 {
		return rotation.WithHint(err, fmt.Sprintf("if %s is the only signing key, say so in the configuration: `jwt: {key: %s}`", bare, bare))
	}
	return rotation.WithHint(err, "say in the configuration what names it, and how signing keys are called: jwt.active, jwt.prefix")
}

// Numbered says whether a key of the Secret is a signing key by its name.
func (l Layout) Numbered(name string) bool {
	return l.number(name) >= 0
}

// number is the number in a key's name, -1 where it has none.
func (l Layout) number(name string) int {
	digits, ok := strings.CutPrefix(name, l.Prefix)
	if n, err := strconv.Atoi(digits); ok && l.Prefix != "" && err == nil && n >= 0 && strconv.Itoa(n) == digits {
		return n
	}
	return -1
}

// names are all signing keys that data has, and those that consumers are handed by name, sorted.
func (l Layout) names(data map[string][]byte) (names []string) {
	for name := range data {
		if own := l.Signing(name); own != "" {
			names = append(names, own)
		}
	}
	names = append(names, l.Named...)
	if l.Key != "" {
		names = append(names, l.Key)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Keys are the keys of data that a rotation writes, sorted.
func (l Layout) Keys(data map[string][]byte) []string {
	names := l.names(data)
	if l.shows(data) {
		for _, name := range slices.Clone(names) {
			names = append(names, l.publicName(name))
		}
	}
	if l.Active != "" {
		names = append(names, l.Active)
	}
	if l.Set != "" && !l.Apart {
		names = append(names, l.Set)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Room says whether the Secret has room for another key beside the current one: without, they cannot overlap.
func (l Layout) Room(current rotation.Credential) bool {
	return l.signer() || l.next(2, current) != current.ID
}

// next is the name of version v, where current is the one in use. Names are numbered on with the versions; where consumers
// are handed keys by their names, those alternate.
func (l Layout) next(v rotation.Version, current rotation.Credential) string {
	if l.Key != "" {
		return l.Key
	}
	if len(l.Named) > 0 {
		i := slices.IndexFunc(l.Named, func(name string) bool { return name != current.ID })
		if i < 0 {
			return current.ID
		}
		return l.Named[i]
	}
	ahead := max(0, l.number(current.ID)-int(current.V)) // the keys were numbered on before we came
	return l.Prefix + strconv.Itoa(int(v)+ahead)
}

// Render gives the keys of data that have to change for it to say what view says; a nil value removes its key. What view does
// not accept goes; while it accepts more than one key, those that are on no record stay: something may still be signed
// with them. A key that consumers are handed by its name can't go, since no pod would start: it is overwritten with
// something that nobody signs with.
func (l Layout) Render(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
	active, ok := live[view.Active]
	if !ok || active.Value.Empty() {
		return nil, fmt.Errorf("rendering %v: its value is not on record", view.Active)
	}
	key, err := read(active.Value.Reveal())
	if err != nil {
		return nil, fmt.Errorf("rendering %v: %s %w", view.Active, active.ID, err)
	}
	changes := map[string][]byte{}
	for _, v := range view.Accept {
		c, ok := live[v]
		if !ok || c.Value.Empty() {
			return nil, fmt.Errorf("rendering %v: its value is not on record", v)
		}
		if l.signer() {
			changes[l.Key] = active.Value.Reveal()
			continue
		}
		if _, taken := changes[c.ID]; taken {
			return nil, rotation.Refuse(fmt.Errorf("there is no room for two signing keys: both would be %s", c.ID))
		}
		changes[c.ID] = c.Value.Reveal()
	}
	known := map[string]bool{}
	for _, c := range live {
		known[c.ID] = true
	}
	for _, name := range l.names(data) {
		if _, accepted := changes[name]; accepted || len(view.Accept) > 1 && !known[name] {
			continue
		}
		changes[name] = nil
		if slices.Contains(l.Named, name) {
			changes[name] = key.idle(name)
		}
	}
	if err := l.publish(changes, data); err != nil {
		return nil, fmt.Errorf("rendering %v: %w", view.Active, err)
	}
	if l.Active != "" {
		changes[l.Active] = l.naming(active.ID, data)
	}
	if l.Set != "" && !l.Apart {
		if changes[l.Set], err = l.renderSet(view, live, data); err != nil {
			return nil, fmt.Errorf("rendering %v: key %s %w", view.Active, l.Set, err)
		}
	}
	return changes, nil
}

// Mend is Render for data that somebody else has changed: all that it depends on is written.
func (l Layout) Mend(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
	return l.Render(view, live, data)
}

// naming is what the key that names the active one has to say, in the form that it has now.
func (l Layout) naming(id string, data map[string][]byte) []byte {
	text := string(data[l.Active])
	name, end := strings.TrimSpace(text), ""
	if i := strings.LastIndex(text, name); name != "" && i >= 0 {
		end = text[i+len(name):]
	}
	if full, err := l.current(data); err == nil && full != name && l.Key == "" {
		short := len(full) - len(name)
		return []byte(id[min(short, len(id)):] + end)
	}
	return []byte(id + end)
}

// Remarks are things about the data that its owner should know, in words, without values.
func (l Layout) Remarks(data map[string][]byte) (remarks []string) {
	current, err := l.Parse(data)
	if err != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if name != current.ID && l.Numbered(name) && !slices.Contains(l.Named, name) {
			remarks = append(remarks, fmt.Sprintf("%s is a signing key that is not active: it goes with the old one", name))
		}
	}
	value := string(current.Value.Reveal())
	key, _ := read(current.Value.Reveal())
	_, secret := key.(secretKey)
	if cut := strings.TrimRight(value, "\r\n"); secret && strings.ContainsAny(cut, "\r\n") {
		remarks = append(remarks, fmt.Sprintf("%s is broken over several lines, as `openssl rand -base64 64` prints it; the next one is not", current.ID))
	}
	return remarks
}
