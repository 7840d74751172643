package discover

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/config"
)

// onlyKey is what a signing key is often called that stands alone: the runbook's jwt-secret.
var onlyKey = regexp.MustCompile(`(?i)^(.*[_.-])?jwt[_.-]?(.*[_.-])?(secret|key)$`)

// keyDrafts are the targets that Secrets with signing keys make.
func (d Found) keyDrafts() (all []config.Draft) {
	for _, secret := range slices.Sorted(maps.Keys(d.secrets)) {
		keys, seen, ok := signingKeys(d.secrets[secret])
		readers := d.readers(secret, nil)
		if !ok || len(readers) == 0 {
			continue
		}
		all = append(all, config.Draft{
			Target: config.Target{Name: string(config.KindJWT), Kind: config.KindJWT, Namespace: d.namespace, Secret: config.Secret{Name: secret}, JWT: &keys},
			Seen: []string{
				readBy(secret, readers), seen,
				"What pods make of a token is proven only with a probe: say under jwt.probe where they issue and verify one, and under jwt.lifetime how long the longest-lived is valid.",
			},
		})
	}
	return all
}

// signingKeys is how signing keys probably stand in a Secret: numbered, with a key that names the active one; or a single one.
func signingKeys(data map[string][]byte) (keys config.JWT, seen string, ok bool) {
	for _, key := range slices.Sorted(maps.Keys(data)) {
		name := strings.TrimSpace(string(data[key]))
		prefix := strings.TrimRight(name, "0123456789")
		if _, there := data[name]; there && name != key && prefix != name && prefix != "" {
			return config.JWT{Active: key, Prefix: prefix}, "Its key " + key + " names the signing key that is active.", true
		}
	}
	if found := matching(data, onlyKey); len(found) == 1 {
		return config.JWT{Key: found[0]},
			"Its only signing key leaves no room for a second one: it can be replaced where it has leaked, and not rotated without refusing tokens.", true
	}
	return keys, "", false
}
