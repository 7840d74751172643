package e2e

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-rotate/kubectl-rotate/docs/examples/keyring"
	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

// holding is a world whose platform finds its signing keys there already, and the flag of a configuration that has each pod
// asked and says more of the keys.
func holding(t *testing.T, data map[string][]byte, lifetime time.Duration, more string) (*world, string) {
	t.Helper()
	w := newCluster(t)
	_, err := w.kube.CoreV1().Namespaces().Create(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.ns}}, metav1.CreateOptions{})
	w.must("making the namespace", err)
	_, err = w.kube.CoreV1().Secrets(w.ns).Create(w.ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: signingKeys}, Data: data}, metav1.CreateOptions{})
	w.must("making the signing keys", err)
	w.deployWith(deploy.Options{TokenLifetime: lifetime}, "jwt")
	config := w.targetsFile(strings.Replace(probed, "    leeway: 1s\n", "    leeway: 1s\n"+more, 1))
	w.grantWith("jwt", config)
	return w, config
}

func pemOf(t *testing.T, kind string, der []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// numberedPairs is a P-256 pair, as `openssl ecparam` and `openssl ec -pubout` write it.
func numberedPairs(t *testing.T) map[string][]byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	data := map[string][]byte{"active-key": []byte("jwt-secret-v1"), "jwt-secret-v1": pemOf(t, "EC PRIVATE KEY", private, err)}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	data["jwt-secret-v1.pub"] = pemOf(t, "PUBLIC KEY", public, err)
	return data
}

// aSet is one Ed25519 key to sign with and the set for who verifies, which holds somebody else's key too.
func aSet(t *testing.T) map[string][]byte {
	t.Helper()
	half, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	return map[string][]byte{
		"signing-key": pemOf(t, "PRIVATE KEY", private, err),
		"jwks.json": fmt.Appendf(nil, `{"keys":[%s,{"kty":"OKP","crv":"Ed25519","x":"%s","kid":"%s","use":"sig"}]}`,
			partner, base64.RawURLEncoding.EncodeToString(half), keyring.Thumbprint(half)),
	}
}

const partner = `{"kty":"RSA","kid":"partner","n":"AQAB","e":"AQAB"}`

// ringOf is data as the backend reads it.
func ringOf(t *testing.T, data map[string][]byte) *keyring.Keyring {
	t.Helper()
	ring, err := keyring.FromSet(data["signing-key"], data["jwks.json"])
	if data["jwks.json"] == nil {
		values := map[string][]byte{}
		for name, value := range data {
			if strings.HasPrefix(name, "jwt-secret") {
				values[name] = value
			}
		}
		ring, err = keyring.Named(values, string(data["active-key"]))
	}
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// minute are the claims of a token that is valid for a minute from now.
func minute() jwt.Claims {
	return jwt.RegisteredClaims{Subject: "demo", ExpiresAt: jwt.NewNumericDate(time.Now().Add(time.Minute))}
}

// signedAs is a token of the key that signs by data, for a minute from now, and its key id.
func signedAs(t *testing.T, data map[string][]byte) (token, kid string) {
	t.Helper()
	ring := ringOf(t, data)
	token, err := ring.Sign(minute())
	if err != nil {
		t.Fatal(err)
	}
	return token, ring.Active()
}

// active is the key to sign with, as it stands.
func active(data map[string][]byte) []byte {
	if data["jwks.json"] != nil {
		return data["signing-key"]
	}
	return data[string(data["active-key"])]
}

// gone wants a key to stand in no Secret any more, in whatever form. The key in use is found there.
func (w *world) gone(old, now []byte) {
	w.Helper()
	there := false
	for _, name := range []string{signingKeys, signingKeys + "-rotate"} {
		for key, text := range w.secret(name).Data {
			if found := leaked(string(text), string(old)); found != nil {
				w.Errorf("the old key still stands in Secret %s, %s: %v", name, key, found)
			}
			there = there || leaked(string(text), string(now)) != nil
		}
	}
	if !there {
		w.Error("not even the key in use was found: the search proves nothing")
	}
}

// Pairs of keys are rotated under load, twice, with no valid token refused: as numbered PEM with the public half beside each, and as
// one key to sign with and a set that all verify by. Afterwards each pod refuses the key of before.
func TestRotatePairsOfKeys(t *testing.T) {
	long(t)
	alone(t)
	for name, c := range map[string]struct {
		data func(*testing.T) map[string][]byte
		more string
		keys int // of the Secret
	}{
		"numbered": {numberedPairs, "", 3},
		"set":      {aSet, "    key: signing-key\n    set: jwks.json\n", 2},
	} {
		t.Run(name, func(t *testing.T) {
			w, config := holding(t, c.data(t), 5*time.Second, c.more)
			w.loadedWith(100)
			for range 2 {
				before := w.secret(signingKeys).Data
				token, old := signedAs(t, before)
				r := w.rotate(0, "jwt", config, "--yes", "--again")
				r.says(t, "3 of 3 pods proven", "nothing was issued under it for 6s")
				after := w.secret(signingKeys).Data
				fresh, now := signedAs(t, after)
				if now == old || len(after) != c.keys {
					t.Errorf("%s signs after %s, and the Secret has %d keys", now, old, len(after))
				}
				for _, p := range w.pods() {
					if was, is := answers(w.ctx, p.Status.PodIP, token), answers(w.ctx, p.Status.PodIP, fresh); was != http.StatusUnauthorized || is != http.StatusOK {
						t.Errorf("pod %s answers a token of %s with %d, and one of %s with %d", p.Name, old, was, now, is)
					}
				}
				w.gone(active(before), active(after))
				if set := string(after["jwks.json"]); set != "" && (strings.Contains(set, old) || !strings.Contains(set, now) || !strings.Contains(set, partner)) {
					t.Errorf("the set became %s", set)
				}
				for _, line := range strings.Split(string(active(after)), "\n") {
					if len(line) > 16 && !strings.HasPrefix(line, "-----") && strings.Contains(r.stdout+r.stderr, line) {
						t.Error("the new key stands in what was said")
					}
				}
			}
		})
	}
}

// The set in a ConfigMap of its own, for which who signs has no need to read a Secret of public keys: it is rotated with the key, under
// load, and taken back from its middle.
func TestRotateASetInAConfigMap(t *testing.T) {
	long(t)
	alone(t)
	w := newCluster(t)
	w.deployWith(deploy.Options{TokenLifetime: 5 * time.Second}, "jwt")
	config := w.targetsFile(strings.Replace(probed, "    leeway: 1s\n", "    leeway: 1s\n    key: signing-key\n    set: jwks.json\n    setIn: configmap/jwks\n", 1))
	w.grantWith("jwt", config)
	data, maps := aSet(t), w.kube.CoreV1().ConfigMaps(w.ns)
	_, err := maps.Create(w.ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "jwks"}, Data: map[string]string{"jwks.json": string(data["jwks.json"])}}, metav1.CreateOptions{})
	w.must("making the set", err)
	s := w.secret(signingKeys)
	s.Data = map[string][]byte{"signing-key": data["signing-key"]}
	_, err = w.kube.CoreV1().Secrets(w.ns).Update(w.ctx, s, metav1.UpdateOptions{})
	w.must("making the signing key", err)
	patch := []byte(`[{"op":"add","path":"/spec/template/spec/containers/0/envFrom/-","value":{"configMapRef":{"name":"jwks"}}}]`)
	_, err = w.kube.AppsV1().Deployments(w.ns).Patch(w.ctx, "backend", types.JSONPatchType, patch, metav1.PatchOptions{})
	w.must("handing the set to the backend", err)
	w.until("it has rolled, and the last pod of before has ended", func() bool {
		list, err := w.kube.CoreV1().Pods(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: "app=backend"})
		w.must("listing pods", err)
		return len(list.Items) == 3 && !slices.ContainsFunc(list.Items, func(p corev1.Pod) bool { return len(p.Spec.Containers[0].EnvFrom) < 2 })
	})
	stand := func() map[string][]byte {
		set, err := maps.Get(w.ctx, "jwks", metav1.GetOptions{})
		w.must("reading the set", err)
		return map[string][]byte{"signing-key": w.secret(signingKeys).Data["signing-key"], "jwks.json": []byte(set.Data["jwks.json"])}
	}
	w.loadedWith(100)
	before := stand()
	w.rotate(3, "jwt", config, "--yes", "--until=activate")
	w.rotate(0, "abort", "jwt", config, "--yes")
	if now := stand(); string(active(now)) != string(active(before)) || string(now["jwks.json"]) != string(before["jwks.json"]) {
		t.Error("after the way back the key or the set is another one")
	}
	token, old := signedAs(t, before)
	w.rotate(0, "jwt", config, "--yes", "--again").says(t, "3 of 3 pods proven")
	after := stand()
	fresh, now := signedAs(t, after)
	for _, p := range w.pods() {
		if was, is := answers(w.ctx, p.Status.PodIP, token), answers(w.ctx, p.Status.PodIP, fresh); was != http.StatusUnauthorized || is != http.StatusOK {
			t.Errorf("pod %s answers a token of %s with %d, and one of %s with %d", p.Name, old, was, now, is)
		}
	}
	if set := string(after["jwks.json"]); strings.Contains(set, old) || !strings.Contains(set, partner) {
		t.Errorf("the set became %s", set)
	}
	w.gone(active(before), active(after))
}

// A stolen private key ends as a secret does: it leaves the set at once, and each pod refuses it.
func TestEmergencyOfASet(t *testing.T) {
	long(t)
	w, config := holding(t, aSet(t), time.Minute, "    key: signing-key\n    set: jwks.json\n")
	before := w.secret(signingKeys).Data
	token, old := signedAs(t, before)
	w.rotate(0, "emergency-jwt", config, "--yes")
	after := w.secret(signingKeys).Data
	fresh, _ := signedAs(t, after)
	for _, p := range w.pods() {
		if was, is := answers(w.ctx, p.Status.PodIP, token), answers(w.ctx, p.Status.PodIP, fresh); was != http.StatusUnauthorized || is != http.StatusOK {
			t.Errorf("pod %s answers a token of the stolen key with %d, and one of the new key with %d", p.Name, was, is)
		}
	}
	if set := string(after["jwks.json"]); strings.Contains(set, old) || !strings.Contains(set, partner) {
		t.Errorf("the set became %s", set)
	}
	w.gone(active(before), active(after))
}

// What can't be signed with is refused before anything has changed, and the Secret stays as it was.
func TestKeysThatCannotSignAreRefused(t *testing.T) {
	long(t)
	w, config := holding(t, numberedPairs(t), time.Minute, "    algorithm: ES384\n")
	before := w.secret(signingKeys)
	r := w.as("restricted", "jwt", config, "--yes")
	if r.code != 4 {
		t.Errorf("want exit code 4: %s", r)
	}
	if !strings.Contains(r.stderr, "RFC 7518, section 3.4") {
		t.Errorf("it does not say where that is said: %s", r)
	}
	if after := w.secret(signingKeys); after.ResourceVersion != before.ResourceVersion || w.secret(signingKeys+"-rotate") != nil {
		t.Error("something has changed")
	}
}
