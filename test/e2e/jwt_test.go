package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
	"github.com/kubectl-rotate/kubectl-rotate/test/platform/load"
)

const signingKeys = "jwt-keys"

// probed is a configuration that has each pod asked.
const probed = `apiVersion: kubectl-rotate/v1alpha1
targets:
- name: jwt
  kind: jwt
  jwt:
    leeway: 1s
    probe:
      port: 8080
      verify: {path: /session}
      issue: {path: /token}
`

// targetsFile writes a targets file, and gives the flag that names it.
func (w *world) targetsFile(text string) string {
	w.Helper()
	path := filepath.Join(w.TempDir(), "targets.yaml")
	w.must("writing the targets file", os.WriteFile(path, []byte(text), 0o600))
	return "--config=" + path
}

// signing is a world whose platform issues tokens of that lifetime, and the flag of a configuration that has each pod asked.
func signing(t *testing.T, lifetime time.Duration) (*world, string) {
	t.Helper()
	return signingWith(t, deploy.Options{TokenLifetime: lifetime})
}

// signingWith is signing on a platform of another form.
func signingWith(t *testing.T, o deploy.Options) (*world, string) {
	t.Helper()
	w := newCluster(t)
	w.deployWith(o, "jwt")
	config := w.targetsFile(probed)
	w.grantWith("jwt", config)
	return w, config
}

// signingKey is the active key of the Secret, with its name.
func (w *world) signingKey() (name string, value []byte) {
	w.Helper()
	s := w.secret(signingKeys)
	name = string(s.Data["active-key"])
	return name, s.Data[name]
}

// forge is a token as the platform's own, for a minute from now.
func forge(name string, value []byte) string {
	now := time.Now()
	t := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.RegisteredClaims{
		Subject: "demo", IssuedAt: jwt.NewNumericDate(now.Add(-time.Second)), ExpiresAt: jwt.NewNumericDate(now.Add(time.Minute)),
	})
	t.Header["kid"] = name
	text, err := t.SignedString(value)
	if err != nil {
		panic(err)
	}
	return text
}

// answers is the status with which a pod answers a token; 0: it does not.
func answers(ctx context.Context, ip, token string) int {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+ip+":8080/session", nil)
	if err != nil {
		return 0
	}
	r.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	a, err := client.Do(r)
	if err != nil {
		return 0
	}
	defer a.Body.Close()
	return a.StatusCode
}

// refusedEverywhere wants every pod to refuse a key, and to accept the one in use.
func (w *world) refusedEverywhere(name string, value []byte) {
	w.Helper()
	now, key := w.signingKey()
	for _, p := range w.pods() {
		if got := answers(w.ctx, p.Status.PodIP, forge(name, value)); got != http.StatusUnauthorized {
			w.Errorf("pod %s answers a token of %s with %d", p.Name, name, got)
		}
		if got := answers(w.ctx, p.Status.PodIP, forge(now, key)); got != http.StatusOK {
			w.Errorf("pod %s answers a token of %s with %d", p.Name, now, got)
		}
	}
}

// erased wants a value to stand in no Secret any more, in whatever form, nor in what is written about one. The key in use is found
// there, which shows that it is searched for rightly.
func (w *world) erased(value []byte) {
	w.Helper()
	_, now := w.signingKey()
	all, err := w.kube.CoreV1().Secrets(w.ns).List(w.ctx, metav1.ListOptions{})
	w.must("listing Secrets", err)
	there := false
	for _, s := range all.Items {
		about, err := json.Marshal(s.ObjectMeta)
		w.must("encoding what is written about a Secret", err)
		s.Data["what is written about it"] = about
		for key, text := range s.Data {
			if found := leaked(string(text), string(value)); found != nil {
				w.Errorf("the old key still stands in Secret %s, %s: %v", s.Name, key, found)
			}
			there = there || leaked(string(text), string(now)) != nil
		}
	}
	if !there {
		w.Error("not even the key in use was found: the search proves nothing")
	}
}

// One rotation of a platform with one pod, under load: the old key is of use until its last token has expired, and of none after that.
func TestRotateASigningKey(t *testing.T) {
	alone(t)
	w, config := signingWith(t, deploy.Options{TokenLifetime: 4 * time.Second, Replicas: 1})
	w.loadedWith(50)
	name, value := w.signingKey()
	w.rotate(0, "jwt", config, "--yes").says(t, "1 of 1 pods proven", "nothing was issued under it for 5s")
	w.refusedEverywhere(name, value)
	w.erased(value)
}

// Five rotations under load: no valid token is refused, whichever pod it meets, to the very end of its life; after each the old key
// is worth nothing.
func TestRotateSigningKeys(t *testing.T) {
	long(t)
	alone(t)
	w, config := signing(t, 10*time.Second)
	w.loadedWith(200)
	stop := w.kept()
	for n := 1; n <= 5; n++ {
		name, value := w.signingKey()
		if want := fmt.Sprintf("jwt-secret-v%d", n); name != want {
			t.Fatalf("the key in use is %s, want %s", name, want)
		}
		r := w.rotate(0, "jwt", config, "--yes", "--again")
		r.says(t, "3 of 3 pods proven", "nothing was issued under it for 11s")
		w.refusedEverywhere(name, value)
		w.erased(value)
	}
	for n, all := 1, stop(); n <= 5; n++ {
		if name := fmt.Sprintf("jwt-secret-v%d", n); all[name] == 0 {
			t.Errorf("no token of %s was shown to a pod right before its end: %v", name, all)
		}
	}
}

// What the runbook does: the new key is added and made active in one, and the deployment restarted. Pods that have not
// restarted yet refuse tokens of those that have. That is why there are three phases.
func TestTheRunbooksTwoPhasesRefuseValidTokens(t *testing.T) {
	long(t)
	w, _ := signing(t, time.Minute)
	run, err := load.Start(w.ctx, load.Config{URL: w.platform.URL, Rate: 200, TokenEvery: 3})
	w.must("starting the load", err)
	w.until("tokens are in use", func() bool { return run.Snapshot().OK > 400 })
	if s := run.Snapshot(); s.Failed > 0 {
		t.Fatalf("before anything has changed: %v", s.Failures)
	}
	s := w.secret(signingKeys)
	s.Data["jwt-secret-v2"], s.Data["active-key"] = []byte(strings.Repeat("runbook+", 11)), []byte("jwt-secret-v2")
	_, err = w.kube.CoreV1().Secrets(w.ns).Update(w.ctx, s, metav1.UpdateOptions{})
	w.must("writing the Secret", err)
	w.must("restarting the backend", w.platform.Restart(w.ctx))
	refused := 0
	for reason, n := range run.Stop().Failures {
		if strings.HasPrefix(reason, "status 401") {
			refused += n
		}
	}
	if refused == 0 {
		t.Error("no valid token was refused: the runbook's way would do")
	}
	t.Logf("%d requests with a valid token were refused", refused)
}

// A rotation is taken back from its middle, with the key of before signing again and no token refused.
func TestAbortOfSigningKeys(t *testing.T) {
	long(t)
	alone(t)
	w, config := signing(t, 5*time.Second)
	w.loadedWith(100)
	name, value := w.signingKey()
	w.rotate(3, "jwt", config, "--yes", "--until=rollout")
	pending, key := w.signingKey()
	if pending == name {
		t.Fatalf("%s is still active", name)
	}
	w.rotate(0, "abort", "jwt", config, "--yes")
	if now, same := w.signingKey(); now != name || string(same) != string(value) {
		t.Errorf("the key in use is %s, want %s as it was", now, name)
	}
	w.refusedEverywhere(pending, key)
	w.erased(key)
}

// Without a probe nothing is proven, and that is asked about before a new key signs and before the old one goes.
func TestSigningKeysWithoutAProbe(t *testing.T) {
	long(t)
	alone(t)
	w, _ := signing(t, 5*time.Second)
	config := w.targetsFile(strings.Split(probed, "    probe:")[0] + "    lifetime: 5s\n")
	w.loadedWith(50)
	name, value := w.signingKey()
	r := w.as("restricted", "jwt", config, "--yes")
	if r.code == 0 {
		t.Errorf("a yes was enough: %s", r)
	}
	r.says(t, "there is no probe in the configuration", "--accept=unproven")
	if now, _ := w.signingKey(); now != name {
		t.Errorf("%s signs already", now)
	}
	w.rotate(0, "jwt", config, "--yes", "--accept=unproven")
	w.refusedEverywhere(name, value)
}
