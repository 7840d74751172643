package e2e

import (
	"bytes"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// What an operator gets wrong about a set of public keys is refused before anything changes, with what to do about it. A canary, which
// signing keys have none of, is not announced, and takes no permissions.
func TestASetThatDoesNotFitIsRefused(t *testing.T) {
	long(t)
	f := signingAs(t, keyForms["RS256 and a set apart"], time.Minute)
	right := f.stands()
	kid := f.ring(right).Active()
	plan := f.rotate(0, "jwt", f.config, "--dry-run", "--canary")
	if f.says(plan, "note: no canary: "); strings.Contains(plan.stdout, "one copy of a pod") {
		t.Errorf("a canary is announced: %s", plan)
	}
	for _, c := range []struct {
		name, instead string // of the target's configuration
		by            string // who writes the set
		edit          func(m *corev1.ConfigMap)
		want          []string
	}{
		{"an algorithm of other keys", f.form.more + "    algorithm: ES256\n", "", nil,
			[]string{"is an RSA key of 2048 bits, and ES256 takes a key on the curve P-256 (RFC 7518, section 3.4)", "jwt.algorithm"}},
		{"a ConfigMap that is not there", strings.Replace(f.form.more, "configmap/jwks", "configmap/nowhere", 1), "", nil,
			[]string{"/nowhere, which is to show what to accept, does not exist", "setIn"}},
		{"another key of it", strings.Replace(f.form.more, "set: jwks.json", "set: keys.json", 1), "", nil,
			[]string{"there is no key keys.json", "jwt.set"}},
		{"a set without the key", f.form.more, "kubectl-edit", func(m *corev1.ConfigMap) { m.Data["jwks.json"] = `{"keys":[` + partner + `]}` },
			[]string{"does not hold the public half of the key in use", "add it with the kid " + kid}},
		{"a set without its kid", f.form.more, "kubectl-edit", func(m *corev1.ConfigMap) {
			m.Data["jwks.json"] = strings.Replace(string(right["jwks.json"]), `"kid":"`+kid+`",`, "", 1)
		}, []string{"without a kid", "RFC 7517, section 4.5", kid}},
		{"a set that Argo CD writes", f.form.more, "argocd-controller", func(m *corev1.ConfigMap) { m.Data["jwks.json"] = string(right["jwks.json"]) },
			[]string{"is written by Argo CD", `field manager "argocd-controller" of key jwks.json`, "out of the repository"}},
		{"one that nobody can change", f.form.more, "kubectl-edit", func(m *corev1.ConfigMap) { yes := true; m.Immutable = &yes },
			[]string{"jwks is immutable", "make a new ConfigMap"}},
	} {
		if c.edit != nil {
			f.edited(c.by, c.edit)
		}
		before, stands := f.fingerprint(), f.stands()
		config := f.targetsFile(strings.Replace(probed, "    leeway: 1s\n", "    leeway: 1s\n"+c.instead, 1))
		r := f.as("admin", "jwt", config, "--yes")
		f.Logf("%s: %s", c.name, r.stderr)
		if r.code != 4 {
			t.Errorf("%s: want exit code 4: %s", c.name, r)
		}
		f.says(r, append(c.want, "hint: ")...)
		f.unchanged(before)
		if now := f.stands(); !bytes.Equal(now["jwks.json"], stands["jwks.json"]) || f.secret(signingKeys+"-rotate") != nil {
			t.Errorf("%s: something has changed", c.name)
		}
	}
}

// edited has somebody change the ConfigMap with the set.
func (f *formed) edited(by string, edit func(*corev1.ConfigMap)) {
	f.Helper()
	maps := f.kube.CoreV1().ConfigMaps(f.ns)
	m, err := maps.Get(f.ctx, "jwks", metav1.GetOptions{})
	f.must("reading the set", err)
	edit(m)
	_, err = maps.Update(f.ctx, m, metav1.UpdateOptions{FieldManager: by})
	f.must("changing the set", err)
}

// Whoever hears of a stolen key may take it out of the set by hand first, and a rotation may be under way. The new key takes its
// place all the same, and no pod accepts a token of the stolen one any more.
func TestEmergencyOfAKeyThatIsOutOfTheSet(t *testing.T) {
	long(t)
	f := signingAs(t, keyForms["RS256 and a set apart"], time.Minute)
	before := f.stands()
	patch := []byte(`{"data":{"jwks.json":"{\"keys\":[` + strings.ReplaceAll(partner, `"`, `\"`) + `]}"}}`)
	_, err := f.kube.CoreV1().ConfigMaps(f.ns).Patch(f.ctx, "jwks", types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "kubectl-patch"})
	f.must("taking the key out of the set", err)
	a := f.attackedWith(f.mints(before))
	f.rotate(3, "emergency-jwt", f.config, "--yes", "--until="+rotation.StepStage)
	a.justInTime(f.rotate(0, "emergency-jwt", f.config, "--yes", "-o", "json"))
	f.refused(before, f.stands())
}
