package e2e

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/docs/examples/keyring"
	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

// keyForm is a form in which signing keys stand, as an operator may have laid them out.
type keyForm struct {
	more      string   // of the configuration, under jwt
	algorithm string   // what the application is told to sign by; "" is the usual one of the key
	setIn     string   // what holds the set, as kind/name; "" where it is in the Secret, or there is none
	slots     []string // the keys of the Secret that the application is handed one by one; nil: all there are
	data      func(t *testing.T) map[string][]byte
}

var keyForms = map[string]keyForm{
	"RS256 and a set apart": {
		more: "    key: signing-key\n    set: jwks.json\n    setIn: configmap/jwks\n", setIn: "configmap/jwks",
		data: func(t *testing.T) map[string][]byte { return signerOf(t, newRSA(t), pkcs8) },
	},
	"PS256 with public keys": {
		more: "    algorithm: PS256\n    public: jwt-public-v*\n", algorithm: "PS256",
		data: func(t *testing.T) map[string][]byte {
			return numbered(t, "jwt-secret-v1", "jwt-public-v1", newRSA(t), pkcs1)
		},
	},
	"ES384 with public keys": {
		more: "    public: jwt-public-v*\n",
		data: func(t *testing.T) map[string][]byte {
			return numbered(t, "jwt-secret-v1", "jwt-public-v1", newEC(t, elliptic.P384()), sec1)
		},
	},
	"ES512 as a private JWK": {
		more: "    key: signing-key\n    set: jwks.json\n",
		data: func(t *testing.T) map[string][]byte { return signerOf(t, newEC(t, elliptic.P521()), privateJWK) },
	},
	"EdDSA as a private JWK and a set apart": {
		more: "    key: signing-key\n    set: jwks.json\n    setIn: secret/jwks\n", setIn: "secret/jwks",
		data: func(t *testing.T) map[string][]byte { return signerOf(t, newEd(t), privateJWK) },
	},
	"pairs that take turns": {
		slots: []string{"jwt-secret-v1", "jwt-secret-v1.pub", "jwt-secret-v2", "jwt-secret-v2.pub", "active-key"},
		data: func(t *testing.T) map[string][]byte {
			data := numbered(t, "jwt-secret-v2", "jwt-secret-v2.pub", newEd(t), pkcs8)
			for name, value := range numbered(t, "jwt-secret-v1", "jwt-secret-v1.pub", newEd(t), pkcs8) {
				data[name] = value
			}
			return data
		},
	},
}

func newRSA(t *testing.T) crypto.Signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newEC(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newEd(t *testing.T) crypto.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func pkcs8(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	return pemOf(t, "PRIVATE KEY", der, err)
}

func pkcs1(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	return pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key.(*rsa.PrivateKey)), nil)
}

func sec1(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	return pemOf(t, "EC PRIVATE KEY", der, err)
}

// privateJWK is a key on a curve as a JSON Web Key with its key id.
func privateJWK(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	members := shownAs(t, key.Public())
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		d, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		members["d"] = base64.RawURLEncoding.EncodeToString(d)
	case ed25519.PrivateKey:
		members["d"] = base64.RawURLEncoding.EncodeToString(k.Seed())
	}
	return encodedAs(t, members)
}

func encodedAs(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// shownAs is a public key as a set has it: RFC 7518, section 6, and RFC 8037, section 2.
func shownAs(t *testing.T, public crypto.PublicKey) map[string]string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString
	members := map[string]string{"kid": keyring.Thumbprint(public), "use": "sig"}
	switch k := public.(type) {
	case *rsa.PublicKey:
		members["kty"], members["n"], members["e"] = "RSA", text(k.N.Bytes()), text(big.NewInt(int64(k.E)).Bytes())
	case *ecdsa.PublicKey:
		point, err := k.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := len(point) / 2
		members["kty"], members["crv"], members["x"], members["y"] = "EC", k.Params().Name, text(point[1:1+half]), text(point[1+half:])
	case ed25519.PublicKey:
		members["kty"], members["crv"], members["x"] = "OKP", "Ed25519", text(k)
	}
	return members
}

// signerOf is one key to sign with and the set for who verifies, which holds somebody else's key too.
func signerOf(t *testing.T, key crypto.Signer, form func(*testing.T, crypto.Signer) []byte) map[string][]byte {
	t.Helper()
	return map[string][]byte{
		"signing-key": form(t, key),
		"jwks.json":   fmt.Appendf(nil, `{"keys":[%s,%s]}`, partner, encodedAs(t, shownAs(t, key.Public()))),
	}
}

// numbered is a pair under its names, as the active one.
func numbered(t *testing.T, name, half string, key crypto.Signer, form func(*testing.T, crypto.Signer) []byte) map[string][]byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	return map[string][]byte{"active-key": []byte(name), name: form(t, key), half: pemOf(t, "PUBLIC KEY", der, err)}
}

// formed is a platform whose keys are of one form.
type formed struct {
	*world
	form   keyForm
	config string // the flag of a configuration that has each pod asked
}

// signingAs brings up a platform with keys of a form, whose tokens live that long.
func signingAs(t *testing.T, form keyForm, lifetime time.Duration) *formed {
	t.Helper()
	w := newCluster(t)
	w.deployWith(deploy.Options{TokenLifetime: lifetime, Replicas: 2}, "jwt")
	f := &formed{w, form, w.targetsFile(strings.Replace(probed, "    leeway: 1s\n", "    leeway: 1s\n"+form.more, 1))}
	w.grantWith("jwt", f.config)
	data := form.data(t)
	if form.setIn != "" {
		f.set(string(data["jwks.json"]))
		delete(data, "jwks.json")
	}
	s := w.secret(signingKeys)
	s.Data = data
	_, err := w.kube.CoreV1().Secrets(w.ns).Update(w.ctx, s, metav1.UpdateOptions{FieldManager: "kubectl-edit"})
	w.must("making the signing keys", err)
	w.changed("backend", f.handed)
	w.calm()
	return f
}

// set makes what holds the set.
func (f *formed) set(text string) {
	f.Helper()
	kind, name, _ := strings.Cut(f.form.setIn, "/")
	about, by, core := metav1.ObjectMeta{Name: name}, metav1.CreateOptions{FieldManager: "kubectl-create"}, f.kube.CoreV1()
	var err error
	if kind == "secret" {
		_, err = core.Secrets(f.ns).Create(f.ctx, &corev1.Secret{ObjectMeta: about, StringData: map[string]string{"jwks.json": text}}, by)
	} else {
		_, err = core.ConfigMaps(f.ns).Create(f.ctx, &corev1.ConfigMap{ObjectMeta: about, Data: map[string]string{"jwks.json": text}}, by)
	}
	f.must("making the set", err)
}

// shown is the set as it stands apart.
func (f *formed) shown() []byte {
	f.Helper()
	kind, name, _ := strings.Cut(f.form.setIn, "/")
	if kind == "secret" {
		return f.secret(name).Data["jwks.json"]
	}
	set, err := f.kube.CoreV1().ConfigMaps(f.ns).Get(f.ctx, name, metav1.GetOptions{})
	f.must("reading the set", err)
	return []byte(set.Data["jwks.json"])
}

// handed has the backend be handed keys of the form.
func (f *formed) handed(d *appsv1.Deployment) {
	c := &d.Spec.Template.Spec.Containers[0]
	c.Env = append(c.Env, corev1.EnvVar{Name: "SIGNING_ALGORITHM", Value: f.form.algorithm})
	switch kind, name, _ := strings.Cut(f.form.setIn, "/"); kind {
	case "configmap":
		c.EnvFrom = append(c.EnvFrom, corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}})
	case "secret":
		c.EnvFrom = append(c.EnvFrom, corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}})
	}
	if f.form.slots == nil {
		return
	}
	c.EnvFrom = nil
	for _, key := range f.form.slots {
		c.Env = append(c.Env, corev1.EnvVar{Name: key, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: signingKeys}, Key: key,
		}}})
	}
}

// stands is all that stands of the keys, wherever.
func (f *formed) stands() map[string][]byte {
	f.Helper()
	data := f.secret(signingKeys).Data
	if f.form.setIn != "" {
		data["jwks.json"] = f.shown()
	}
	return data
}

// mints gives what makes tokens of the key that signs by data.
func (f *formed) mints(data map[string][]byte) func() string {
	f.Helper()
	ring := f.ring(data)
	return func() string {
		text, err := ring.Sign(minute())
		if err != nil {
			panic(err)
		}
		return text
	}
}

// ring is data as the backend reads it.
func (f *formed) ring(data map[string][]byte) *keyring.Keyring {
	f.Helper()
	ring := ringOf(f.T, data)
	if f.form.algorithm == "" {
		return ring
	}
	ring, err := ring.By(f.form.algorithm)
	f.must("signing by "+f.form.algorithm, err)
	return ring
}

// refused wants every pod to refuse the key of before, and to accept the one of after, and the former to be erased.
func (f *formed) refused(before, after map[string][]byte) {
	f.Helper()
	old, now := f.mints(before)(), f.mints(after)()
	for _, p := range f.pods() {
		if was, is := answers(f.ctx, p.Status.PodIP, old), answers(f.ctx, p.Status.PodIP, now); was != 401 || is != 200 {
			f.Errorf("pod %s answers a token of the old key with %d, and one of the new key with %d", p.Name, was, is)
		}
	}
	f.gone(private(f.T, active(before)), private(f.T, active(after)))
	set := after["jwks.json"]
	if set != nil && (!bytes.Contains(set, []byte(partner)) || bytes.Contains(set, []byte(f.ring(before).Active())) || bytes.Count(set, []byte(`"kty"`)) != 2) {
		f.Errorf("the set became %s", set)
	}
}

// private is what nobody else may know of a key: of a JSON Web Key one member alone.
func private(t *testing.T, key []byte) []byte {
	t.Helper()
	var jwk struct{ D string }
	if json.Unmarshal(key, &jwk) == nil && jwk.D != "" {
		return []byte(jwk.D)
	}
	return key
}

// Keys of other forms than secrets are rotated twice under load, with no valid token refused by any pod to the end of its life: RSA by
// either of its algorithms, each curve, private keys as PEM of three kinds and as a JSON Web Key, with their public halves beside them, in a
// set, or in a set apart, and pairs under names that pods are handed one by one. Each stays in its form, and what was planned is done.
func TestRotateKeysOfEachForm(t *testing.T) {
	long(t)
	alone(t)
	for name, form := range keyForms {
		t.Run(name, func(t *testing.T) {
			f := signingAs(t, form, 5*time.Second)
			f.loadedWith(50)
			stop := f.kept()
			used := map[string]bool{}
			for range 2 {
				before := f.stands()
				f.Log(f.rotate(0, "jwt", f.config, "--dry-run", "--again").stdout)
				f.rotate(0, "jwt", f.config, "--yes", "--again").says(t, "2 of 2 pods proven", "nothing was issued under it for 6s")
				after := f.stands()
				f.refused(before, after)
				if len(after) != len(before) || !bytes.Equal(head(active(after)), head(active(before))) {
					t.Errorf("the keys are %d, and were %d; the one in use begins with %s, and with %s before", len(after), len(before), head(active(after)), head(active(before)))
				}
				used[f.ring(before).Active()] = true
			}
			for kid, n := range stop() {
				delete(used, kid)
				if n == 0 {
					t.Errorf("no token of %s was accepted right before its end", kid)
				}
			}
			if len(used) > 0 {
				t.Errorf("no token of %v was shown to a pod: that proves nothing", used)
			}
		})
	}
}

// head is the beginning of a key, which its form has in common with others.
func head(key []byte) []byte { return key[:12] }

// A stolen private key is used against every pod while it is replaced: it is refused by the time that is reported, and by no pod later.
func TestEmergencyOfPairs(t *testing.T) {
	long(t)
	for name, args := range map[string][]string{"RS256 and a set apart": nil, "ES512 as a private JWK": {"--cut"}, "pairs that take turns": nil} {
		t.Run(name, func(t *testing.T) {
			f := signingAs(t, keyForms[name], time.Minute)
			before := f.stands()
			args := append([]string{"emergency-jwt", f.config}, args...)
			f.Log(f.rotate(0, append(args, "--dry-run")...).stdout)
			a := f.attackedWith(f.mints(before))
			began := time.Now()
			r := f.rotate(0, append(args, "--yes", "-o", "json")...)
			last, safe := a.justInTime(r)
			t.Logf("the attacker's last success after %v, reported safe after %v", last.Sub(began), safe.Sub(began))
			f.refused(before, f.stands())
		})
	}
}
