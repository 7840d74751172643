package ledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strconv"
)

// seal binds an edition to the data that it was written with.
type seal struct {
	Keys []string `json:"keys"` // the keys it covers; one that the data lacked has to be lacking still
	MAC  string   `json:"mac"`  // in hexadecimal
}

// newSeal seals the given keys of data for edition n. Without a secret there is no seal: an
// unkeyed hash of a password could be guessed at by whoever sees the annotation.
func newSeal(secret []byte, n int, keys []string, data map[string][]byte) *seal {
	if len(secret) == 0 {
		return nil
	}
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	return &seal{Keys: keys, MAC: hex.EncodeToString(mac(secret, n, keys, data))}
}

// fits says whether data is still as it was when edition n was sealed.
func (s *seal) fits(secret []byte, n int, data map[string][]byte) bool {
	if s == nil || len(secret) == 0 {
		return false
	}
	want, err := hex.DecodeString(s.MAC)
	return err == nil && hmac.Equal(want, mac(secret, n, s.Keys, data))
}

// mac is the keyed hash of n and of each key with its value, every part with its length before it, so that no two
// states of the data look the same.
func mac(secret []byte, n int, keys []string, data map[string][]byte) []byte {
	h := hmac.New(sha256.New, secret)
	part := func(b []byte) {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	part(binary.BigEndian.AppendUint64(nil, uint64(n)))
	for _, key := range keys {
		value, there := data[key]
		part([]byte(key))
		part(strconv.AppendBool(nil, there))
		part(value)
	}
	return h.Sum(nil)
}
