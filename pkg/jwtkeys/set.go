package jwtkeys

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// document is a set of JSON Web Keys (RFC 7517, section 5): what verifiers are shown. Keys and members that are nobody's business
// here stay as they are.
type document struct {
	all  object
	keys []object
	text []byte
}

// readDocument reads a set. Its errors are the rest of a sentence, and hold nothing of it.
func readDocument(text []byte) (d document, err error) {
	d.text = text
	if d.all, err = readObject(text); err != nil {
		return d, err
	}
	var raw []json.RawMessage
	i := d.all.index("keys")
	if i < 0 || json.Unmarshal(d.all[i].value, &raw) != nil {
		return d, errors.New("has no member keys that is a list (RFC 7517, section 5)")
	}
	for _, r := range raw {
		o, err := readObject(r)
		if err != nil {
			return d, fmt.Errorf("holds a key that %w", err)
		}
		d.keys = append(d.keys, o)
	}
	return d, nil
}

// find is where a key stands, by its public half; -1 where it does not.
func (d document) find(k signingKey) int {
	return slices.IndexFunc(d.keys, func(o object) bool {
		public, err := publicOf(o)
		return err == nil && same(public, k.public())
	})
}

// check refuses a set in which verifiers can't tell the key in use, which has one of ids, from another one. Where it has leaked, it
// may be out of the set already, or in it with its private half: it goes.
func (d document) check(k signingKey, leaked bool, ids []string) error {
	if k.public() == nil {
		return rotation.WithHint(fmt.Errorf("is for public keys, and the key in use is %s: a set that holds it would give it away", k),
			"take jwt.set out of the configuration: who verifies reads the secret itself")
	}
	i := d.find(k)
	switch {
	case i < 0 && leaked:
		return nil
	case i < 0:
		return rotation.WithHint(errors.New("does not hold the public half of the key in use"),
			fmt.Sprintf("add it with the kid %s, or say in the configuration which set it is that verifiers read: jwt.set, jwt.setIn", ids[0]))
	}
	entry := d.keys[i]
	if leaked {
		entry = entry.without(privateMembers...)
	}
	err := d.checkEntry(entry, k, ids)
	return rotation.WithHint(err, cmp.Or(rotation.Hint(err), fmt.Sprintf("correct the set: the kid of this key should be %s, and no other key's", ids[0])))
}

// checkEntry is check for the entry of the key in use.
func (d document) checkEntry(entry object, k signingKey, ids []string) error {
	kid, alg := entry.text("kid"), entry.text("alg")
	switch {
	case slices.ContainsFunc(entry, func(m member) bool { return slices.Contains(privateMembers, m.name) }):
		return rotation.WithHint(errors.New("holds the private half of the key in use: whoever verifies can sign (RFC 7517, section 9.2)"),
			"rotate the key as one that has leaked, which takes it out: `kubectl rotate emergency-jwt`")
	case kid == "":
		return errors.New("holds the key in use without a kid: beside a second key it could not be told from that (RFC 7517, section 4.5)")
	case len(slices.DeleteFunc(slices.Clone(d.keys), func(o object) bool { return o.text("kid") != kid })) > 1:
		return errors.New("holds two keys with the kid of the one in use (RFC 7517, section 4.5)")
	case alg != "" && !slices.Contains(k.algorithms(), alg):
		return rotation.WithHint(fmt.Errorf("says of the key in use that it is for another algorithm, and it is %s (alg; RFC 7517, section 4.4)", k),
			"correct its alg in the set, or take that out")
	case entry.has("use") && entry.text("use") != "sig":
		return rotation.WithHint(errors.New("says of the key in use that it is for something else than signatures (use; RFC 7517, section 4.2)"),
			"correct its use in the set, or take that out")
	case !slices.Contains(ids, kid):
		return rotation.WithHint(errors.New("gives the key in use a kid that is neither what it is called nor its thumbprint (RFC 7638): who signs would go on with that under the next one"),
			"say in the configuration which key of the Secret holds the kid, so that it changes with the key: jwt.active")
	}
	return nil
}

// show is the set with the keys of live that view accepts, and none of the others; ids are their key ids. A new entry is made like
// that of one which is there.
func (d document) show(view rotation.View, live map[rotation.Version]rotation.Credential, ids func(rotation.Credential, signingKey) string) ([]byte, error) {
	model := object{}
	keys := map[rotation.Version]signingKey{}
	for _, v := range slices.Sorted(maps.Keys(live)) {
		k, err := read(live[v].Value.Reveal())
		if err != nil || k.public() == nil {
			return nil, fmt.Errorf("%s %w", live[v].ID, cmp.Or(err, errors.New("has no public half")))
		}
		keys[v] = k
		if i := d.find(k); i >= 0 {
			model = d.keys[i]
		}
	}
	changed := false
	for _, v := range slices.Sorted(maps.Keys(keys)) {
		i := d.find(keys[v])
		switch accepted := view.Accepts(v); {
		case accepted && i < 0:
			d.keys = append(slices.Clone(d.keys), entryLike(model, keys[v], ids(live[v], keys[v])))
			changed = true
		case !accepted && i >= 0:
			d.keys = slices.Delete(slices.Clone(d.keys), i, i+1)
			changed = true
		}
	}
	if !changed {
		return d.text, nil
	}
	return d.bytes(), nil
}

// entryLike is what verifiers are shown of a key. It says of it what model says of another, but for certificates.
func entryLike(model object, k signingKey, kid string) object {
	entry := model.without(append(slices.Clone(certificates), privateMembers...)...)
	members, _ := publicJWK(k.public()) // of a kind that signs
	for _, m := range members {
		entry = entry.with(m[0], m[1])
	}
	if len(model) == 0 {
		entry = entry.with("use", "sig")
		if fit := k.algorithms(); len(fit) == 1 { // which of several it is, nothing says
			entry = entry.with("alg", fit[0])
		}
	}
	return entry.with("kid", kid)
}

func (d document) bytes() []byte {
	list := []byte{'['}
	for i, o := range d.keys {
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, o.bytes()...)
	}
	return d.all.withRaw("keys", append(list, ']')).like(d.text)
}

// signer says whether Key is read by who signs alone: verifiers are shown a set.
func (l Layout) signer() bool { return l.Key != "" && l.Set != "" }

// parseSet is the key in use once it was found in the set.
func (l Layout) parseSet(c rotation.Credential, k signingKey, data map[string][]byte) (rotation.Credential, error) {
	kid, err := l.kidIn(data, k, l.ids(c.ID, k, data)...)
	if err != nil {
		return rotation.Credential{}, err
	}
	if l.signer() {
		c.ID = kid
	}
	return c, nil
}

// kidIn is the kid that the set in data gives the key in use, which has to be one of ids.
func (l Layout) kidIn(data map[string][]byte, k signingKey, ids ...string) (string, error) {
	text, there := data[l.Set]
	if !there {
		return "", rotation.WithHint(fmt.Errorf("there is no key %s, where the set of public keys should be", l.Set), "say in the configuration which key it is: jwt.set")
	}
	d, err := readDocument(text)
	if err == nil {
		err = d.check(k, l.Leaked && l.signer(), ids)
	}
	if err != nil {
		return "", rotation.WithHint(fmt.Errorf("key %s %w", l.Set, err), cmp.Or(rotation.Hint(err), "mend it, or say in the configuration which key holds the set: jwt.set"))
	}
	if i := d.find(k); i >= 0 {
		return d.keys[i].text("kid"), nil
	}
	return ids[0], nil
}

// Shown refuses a set apart in which the key in use can't be told from another one.
func (l Layout) Shown(c rotation.Credential, data map[string][]byte) error {
	k, err := read(c.Value.Reveal())
	if err != nil {
		return fmt.Errorf("%s %w", c.ID, err)
	}
	ids := []string{c.ID}
	if !l.signer() {
		ids = append(ids, keyID(k))
	}
	_, err = l.kidIn(data, k, ids...)
	return err
}

// ShowSet is Render for a set apart.
func (l Layout) ShowSet(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) (map[string][]byte, error) {
	text, err := l.renderSet(view, live, data)
	if err != nil {
		return nil, fmt.Errorf("key %s %w", l.Set, err)
	}
	return map[string][]byte{l.Set: text}, nil
}

// ids are the key ids that the next key would have one like: what the key is called, or what its value says of itself.
func (l Layout) ids(name string, k signingKey, data map[string][]byte) []string {
	switch {
	case l.signer() && l.Active != "":
		return []string{strings.TrimSpace(string(data[l.Active]))}
	case l.signer():
		return []string{keyID(k)}
	}
	return []string{name, keyID(k)}
}

// keyID is the key id of a pair; "" for a secret.
func keyID(k signingKey) string {
	if p, ok := k.(interface{ id() string }); ok {
		return p.id()
	}
	return ""
}

// renderSet is the set as view says.
func (l Layout) renderSet(view rotation.View, live map[rotation.Version]rotation.Credential, data map[string][]byte) ([]byte, error) {
	d, err := readDocument(data[l.Set])
	if err != nil {
		return nil, err
	}
	byName := slices.ContainsFunc(slices.Collect(maps.Values(live)), func(c rotation.Credential) bool {
		return slices.ContainsFunc(d.keys, func(o object) bool { return o.text("kid") == c.ID })
	})
	return d.show(view, live, func(c rotation.Credential, k signingKey) string {
		if byName {
			return c.ID
		}
		return keyID(k)
	})
}
