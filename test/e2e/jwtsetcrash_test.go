package e2e

import (
	"bytes"
	"net/http"
	"testing"
	"time"
)

// A set that stands apart is written before the Secret of the key that signs: a run that is killed between the two, and in everything else
// that it changes, is gone on with under load, and so is the way back from the middle of the next, with no valid token refused.
func TestASetApartKilledInEveryRequest(t *testing.T) {
	long(t)
	alone(t)
	for name, toSet := range map[string]string{
		"RS256 and a set apart":                  "PATCH configmaps/jwks",
		"EdDSA as a private JWK and a set apart": "PATCH secrets/jwks",
	} {
		t.Run(name, func(t *testing.T) {
			f := signingAs(t, keyForms[name], 5*time.Second)
			f.loadedWith(25)
			before := f.stands()
			killed := f.killedInEach(f.serves, "jwt", f.config, "--yes")
			f.killedIn(killed, "POST leases", toLease,
				"POST secrets", toKeys, toRecord, toRecord, // begin, and both values
				toSet, toKeys, toPods, // publish, distribute
				toKeys, toPods, toKeys, // activate, rollout, since when nobody signs with the old key
				toSet, toKeys, toPods, // revoke, forget
				toKeys, toRecord) // the tombstone, and the value
			after := f.stands()
			f.refused(before, after)

			f.rotate(3, "jwt", f.config, "--yes", "--again", "--until=rollout")
			pending := f.stands()
			killed = f.killedInEach(f.serves, "abort", "jwt", f.config, "--yes")
			f.killedIn(killed, toLease, toKeys, // the change of mind
				toSet, toKeys, toPods, toKeys, // the key of before signs again, and since when nobody signs with the other
				toSet, toKeys, toPods, // the other is taken out, and forgotten
				toKeys, toRecord)
			if now := f.stands(); !bytes.Equal(active(now), active(after)) || !bytes.Equal(now["jwks.json"], after["jwks.json"]) {
				t.Errorf("after the way back the key or the set is another one: %s, want %s", now["jwks.json"], after["jwks.json"])
			}
			f.refused(pending, f.stands())
		})
	}
}

// serves wants no pod to refuse a token of the key that stands as the one to sign with.
func (f *formed) serves(what string) {
	f.Helper()
	token := f.mints(f.stands())()
	for _, p := range f.pods() {
		if p.Status.PodIP != "" && answers(f.ctx, p.Status.PodIP, token) == http.StatusUnauthorized {
			f.Fatalf("killed in %s: pod %s refuses the key in use", what, p.Name)
		}
	}
}
