package ledger

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// SecretType is the type of the second Secret: no other program takes it for a credential, and
// --field-selector type=kubectl-rotate/record finds all of them.
const SecretType corev1.SecretType = "kubectl-rotate/record"

// The keys of the second Secret, beside those of its versions: v2.id, v2.value, v2.meta. The counters are what
// to go on from if the annotated Secret loses its record.
const (
	keyHigh    = "high"     // the highest version that ever had a value here
	keyEdition = "edition"  // the newest edition when this Secret was last written
	keySeal    = "seal-key" // of the keyed hash that binds an edition to its data
)

// sealKeySize is the size of an HMAC-SHA256 key, in bytes.
const sealKeySize = 32

// values is what the second Secret holds.
type values struct {
	live    map[rotation.Version]rotation.Credential
	high    rotation.Version
	edition int
	sealKey []byte
}

var versionKey = regexp.MustCompile(`^v([1-9][0-9]{0,8})\.(id|value|meta)$`)

// decodeValues reads the second Secret. Keys that it does not know are left alone. No error holds a value.
func decodeValues(data map[string][]byte) (values, error) {
	v := values{live: map[rotation.Version]rotation.Credential{}, sealKey: data[keySeal]}
	high, err := counter(data, keyHigh)
	if err != nil {
		return v, err
	}
	if v.edition, err = counter(data, keyEdition); err != nil {
		return v, err
	}
	v.high = rotation.Version(high)
	for _, key := range sortedKeys(data) {
		m := versionKey.FindStringSubmatch(key)
		if m == nil {
			continue
		}
		n, _ := strconv.Atoi(m[1])
		if v.read(rotation.Version(n), m[2], data[key]) != nil {
			return v, fmt.Errorf("key %s does not hold what it should: it was not written by this program", key)
		}
		v.high = max(v.high, rotation.Version(n))
	}
	return v, nil
}

// read takes one field of version n.
func (v values) read(n rotation.Version, field string, content []byte) (err error) {
	c := v.live[n]
	c.V = n
	switch field {
	case "id":
		c.ID = string(content)
	case "value":
		c.Value = rotation.NewSecret(content)
	case "meta":
		err = json.Unmarshal(content, &c.Meta)
	}
	v.live[n] = c
	return err
}

func counter(data map[string][]byte, key string) (int, error) {
	text, ok := data[key]
	if !ok {
		return 0, nil
	}
	n, err := strconv.Atoi(string(text))
	if err != nil || n < 0 {
		return 0, fmt.Errorf("key %s is not a number", key)
	}
	return n, nil
}

// staged are the keys that add c.
func staged(c rotation.Credential) (map[string][]byte, error) {
	data := map[string][]byte{
		c.V.String() + ".id":    []byte(c.ID),
		c.V.String() + ".value": c.Value.Reveal(),
	}
	if len(c.Meta) > 0 {
		meta, err := json.Marshal(c.Meta)
		if err != nil {
			return nil, err
		}
		data[c.V.String()+".meta"] = meta
	}
	return data, nil
}

// forgotten are the keys to remove with the value of v.
func forgotten(v rotation.Version) map[string][]byte {
	return map[string][]byte{v.String() + ".id": nil, v.String() + ".value": nil, v.String() + ".meta": nil}
}

// counted adds to data what every write of the second Secret says anew.
func counted(data map[string][]byte, high rotation.Version, edition int) map[string][]byte {
	data[keyHigh] = []byte(strconv.Itoa(int(high)))
	data[keyEdition] = []byte(strconv.Itoa(edition))
	return data
}

func newSealKey(random io.Reader) ([]byte, error) {
	key := make([]byte, sealKeySize)
	_, err := io.ReadFull(random, key)
	return key, err
}

func sortedKeys(data map[string][]byte) []string { return slices.Sorted(maps.Keys(data)) }
