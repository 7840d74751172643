package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Pods that read a volume again by themselves are not restarted: each is asked until it has read the new key, until it signs with it,
// and until it has forgotten the old one, while tokens of whichever key is valid are accepted everywhere. Where the key leaks nobody waits for
// kubelets: they are replaced.
func TestSigningKeysThatPodsReadAgain(t *testing.T) {
	long(t)
	alone(t)
	w, _ := signing(t, 5*time.Second)
	config := w.targetsFile(strings.Replace(probed, "    leeway: 1s\n", "    leeway: 1s\n    reloads: true\n", 1))
	w.changed("backend", func(d *appsv1.Deployment) {
		spec := &d.Spec.Template.Spec
		c := &spec.Containers[0]
		c.EnvFrom = nil
		c.Env = append(c.Env, corev1.EnvVar{Name: "SIGNING_KEYS_DIR", Value: "/keys"})
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "keys", MountPath: "/keys", ReadOnly: true})
		spec.Volumes = append(spec.Volumes, corev1.Volume{Name: "keys", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: signingKeys}}})
	})
	w.calm()
	w.loadedWith(50)
	name, value := w.signingKey()
	before := names(w.pods())
	w.rotate(0, "jwt", config, "--dry-run").says(t, "wait for deployment/backend to read the Secret again: 3 pods")
	w.rotate(0, "jwt", config, "--yes").says(t, "3 of 3 pods proven")
	if now := names(w.pods()); !slices.Equal(now, before) {
		t.Errorf("the pods are %v, want %v as before", now, before)
	}
	w.refusedEverywhere(name, value)
	w.erased(value)
}

// What can't be asked is agreed to, and not before the files can have reached every pod. A key that has leaked waits for no kubelet: pods are
// replaced.
func TestSigningKeysThatPodsReadAgainWithoutAProbe(t *testing.T) {
	long(t)
	w, _ := signing(t, 5*time.Second)
	config := w.targetsFile(strings.Split(probed, "    probe:")[0] + "    lifetime: 5s\n    reloads: true\n")
	r := w.rotate(3, "jwt", config, "--yes", "--accept=unproven", "--wait=false")
	r.says(t, "kubelets take up to 2m0s")
	if now, _ := w.signingKey(); now != "jwt-secret-v1" {
		t.Errorf("%s signs already", now)
	}
	name, value := w.signingKey()
	before := names(w.pods())
	w.rotate(0, "emergency-jwt", config, "--yes")
	if now := names(w.pods()); slices.ContainsFunc(now, func(pod string) bool { return slices.Contains(before, pod) }) {
		t.Errorf("the pods are %v, and were %v", now, before)
	}
	w.refusedEverywhere(name, value)
	w.erased(value)
}

// Pods that are handed keys one by one, by their names: two of those take turns. The old one is overwritten, since without it no pod
// would start; what it is overwritten with is of use to nobody.
func TestTwoNamesOfSigningKeysTakeTurns(t *testing.T) {
	long(t)
	alone(t)
	w, config := signing(t, 5*time.Second)
	other := make([]byte, 64)
	_, _ = rand.Read(other)
	s := w.secret(signingKeys)
	s.Data["jwt-secret-v2"] = []byte(base64.StdEncoding.EncodeToString(other))
	_, err := w.kube.CoreV1().Secrets(w.ns).Update(w.ctx, s, metav1.UpdateOptions{})
	w.must("adding the other name", err)
	w.changed("backend", func(d *appsv1.Deployment) {
		c := &d.Spec.Template.Spec.Containers[0]
		c.EnvFrom = nil
		for _, key := range []string{"jwt-secret-v1", "jwt-secret-v2", "active-key"} {
			c.Env = append(c.Env, corev1.EnvVar{Name: key, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: signingKeys}, Key: key,
			}}})
		}
	})
	w.calm()
	run := w.loadedWith(50)
	for _, next := range []string{"jwt-secret-v2", "jwt-secret-v1"} {
		name, value := w.signingKey()
		w.rotate(0, "jwt", config, "--yes", "--again")
		now, key := w.signingKey()
		if now != next || len(key) == 0 {
			t.Fatalf("%s signs, want %s", now, next)
		}
		w.refusedEverywhere(name, value)
		w.erased(value)
		left := w.secret(signingKeys).Data
		if len(left[name]) == 0 || len(left) != 3 {
			t.Errorf("%s is not there any more, or there are others: no pod would start", name)
		}
		for _, p := range w.pods() { // what stands there is known to those who may read the Secret, and signs nothing that lasts
			if got := answers(w.ctx, p.Status.PodIP, forge(now, left[name])); got != http.StatusUnauthorized {
				t.Errorf("pod %s answers a token of %s, signed with what %s holds, with %d", p.Name, now, name, got)
			}
		}
	}
	run.Stop() // everybody has to log in again after what comes now
	stolen, value := w.signingKey()
	w.rotate(0, "emergency-jwt", config, "--yes", "--again")
	w.refusedEverywhere(stolen, value)
	w.erased(value)
}
