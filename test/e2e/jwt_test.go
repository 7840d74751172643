package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/redis/go-redis/v9"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

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
	w := newCluster(t)
	w.deployWith(deploy.Options{TokenLifetime: lifetime}, "jwt")
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

// erased wants a value to stand in neither Secret any more.
func (w *world) erased(value []byte) {
	w.Helper()
	for _, name := range []string{signingKeys, signingKeys + "-rotate"} {
		for key, text := range w.secret(name).Data {
			if strings.Contains(string(text), string(value)) {
				w.Errorf("the old key still stands in key %s of Secret %s", key, name)
			}
		}
	}
}

// Five rotations under load: no valid token is refused, whichever pod it meets, and after each the old key is worth nothing. The
// load's tokens are used until they expire.
func TestRotateSigningKeys(t *testing.T) {
	long(t)
	w, config := signing(t, 10*time.Second)
	w.loadedWith(200)
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

// An application that knows one key alone: no pod accepts the new one, which is found before anything signs with it.
func TestAnApplicationThatKnowsOneKeyAlone(t *testing.T) {
	long(t)
	w, config := signing(t, 5*time.Second)
	patch := []byte(`[{"op":"remove","path":"/spec/template/spec/containers/0/envFrom"},
		{"op":"add","path":"/spec/template/spec/containers/0/env/-","value":{"name":"jwt-secret-v1","valueFrom":{"secretKeyRef":{"name":"jwt-keys","key":"jwt-secret-v1"}}}},
		{"op":"add","path":"/spec/template/spec/containers/0/env/-","value":{"name":"active-key","valueFrom":{"secretKeyRef":{"name":"jwt-keys","key":"active-key"}}}}]`)
	_, err := w.kube.AppsV1().Deployments(w.ns).Patch(w.ctx, "backend", types.JSONPatchType, patch, metav1.PatchOptions{})
	w.must("handing it one key by its name", err)
	w.until("it has rolled", func() bool {
		return !slices.ContainsFunc(w.pods(), func(p corev1.Pod) bool { return len(p.Spec.Containers[0].EnvFrom) > 0 })
	})
	r := w.as("restricted", "jwt", config, "--yes")
	if r.code == 0 || !strings.Contains(r.stderr, "no room for a second signing key") {
		t.Errorf("it was not refused: %s", r)
	}
	name, value := w.signingKey()
	w.rotate(0, "emergency-jwt", config, "--yes")
	if now, key := w.signingKey(); now != name || string(key) == string(value) {
		t.Errorf("the key in use is %s, want another one in the place of %s", now, name)
	}
	w.refusedEverywhere(name, value)
	w.erased(value)
}

// attacker mints tokens with a stolen key, and shows one to every pod there is every 20 ms.
type attacker struct {
	w     *world
	name  string
	value []byte
	stop  context.CancelFunc
	all   sync.WaitGroup
	mu    sync.Mutex
	last  time.Time // when a token of his was last accepted
}

func (w *world) attacked(name string, value []byte) *attacker {
	ctx, stop := context.WithCancel(w.ctx)
	a := &attacker{w: w, name: name, value: value, stop: stop}
	w.Cleanup(func() { stop(); a.all.Wait() })
	a.all.Go(func() {
		known := map[string]bool{}
		for ctx.Err() == nil {
			list, err := w.kube.CoreV1().Pods(w.ns).List(ctx, metav1.ListOptions{LabelSelector: "app=backend"})
			if err != nil {
				continue
			}
			for _, p := range list.Items {
				if ip := p.Status.PodIP; ip != "" && !known[string(p.UID)] {
					known[string(p.UID)] = true
					a.all.Go(func() { a.tries(ctx, ip) })
				}
			}
			tick(ctx, 100*time.Millisecond)
		}
	})
	return a
}

func tick(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

func (a *attacker) tries(ctx context.Context, ip string) {
	for ctx.Err() == nil {
		if answers(ctx, ip, forge(a.name, a.value)) == http.StatusOK {
			a.mu.Lock()
			a.last = time.Now()
			a.mu.Unlock()
		}
		tick(ctx, 20*time.Millisecond)
	}
}

// lastSuccess ends the attack.
func (a *attacker) lastSuccess() time.Time {
	a.stop()
	a.all.Wait()
	return a.last
}

// safeAt is when, by the report of a run, the last pod that accepted the old key had ended.
func safeAt(t *testing.T, r result) time.Time {
	t.Helper()
	for line := range strings.Lines(r.stdout) {
		var e struct {
			Step, State, Note string
			Time              time.Time
		}
		if json.Unmarshal([]byte(line), &e) != nil || e.Step != "rollout" || e.State != "done" {
			continue
		}
		_, rest, ok := strings.Cut(e.Note, "had ended within ")
		_, rest, _ = strings.Cut(rest, "at ")
		if len(rest) < 8 || !ok {
			t.Fatalf("no time in %q", e.Note)
		}
		at, err := time.Parse(time.DateOnly+" "+time.TimeOnly, e.Time.UTC().Format(time.DateOnly)+" "+rest[:8])
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	t.Fatalf("no report: %s", r)
	return time.Time{}
}

// A stolen key is replaced while somebody uses it against every pod. What is reported is never earlier than his last success,
// and not much later.
func TestEmergencyOfSigningKeys(t *testing.T) {
	long(t)
	for _, cut := range []bool{false, true} {
		t.Run(map[bool]string{false: "rolling", true: "cut"}[cut], func(t *testing.T) {
			w, config := signing(t, time.Minute)
			name, value := w.signingKey()
			args := []string{"emergency-jwt", config, "--yes", "-o", "json"}
			if cut {
				args = append(args, "--cut")
			}
			a := w.attacked(name, value)
			w.until("the attacker gets in", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return !a.last.IsZero() })
			began := time.Now()
			r := w.rotate(0, args...)
			took := time.Since(began)
			last, safe := a.lastSuccess(), safeAt(t, r)
			t.Logf("the attacker's last success after %v, reported safe after %v, all of it took %v", last.Sub(began), safe.Sub(began), took)
			if late := safe.Sub(last); late < 0 || late > 2500*time.Millisecond {
				t.Errorf("reported safe %v after the attacker's last success", late)
			}
			w.refusedEverywhere(name, value)
			w.erased(value)
		})
	}
}

// A rollout that is stuck when the alarm comes: the Secret is replaced, the pods that hold the stolen key are named, and --cut
// ends them although none can take their place. What is proven then is said, and what is not yet.
func TestEmergencyWithAStuckRollout(t *testing.T) {
	long(t)
	w, config := signing(t, time.Minute)
	name, value := w.signingKey()
	patch := []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"backend","image":"kubectl-rotate.test/nowhere:none"}]}}}}`)
	_, err := w.kube.AppsV1().Deployments(w.ns).Patch(w.ctx, "backend", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	w.must("having a rollout get stuck", err)
	old := w.pods()
	a := w.attacked(name, value)
	w.until("the attacker gets in", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return !a.last.IsZero() })
	r := w.as("restricted", "emergency-jwt", config, "--yes", "--timeout=10s")
	if r.code == 0 {
		t.Errorf("it was done: %s", r)
	}
	for _, p := range old {
		r.says(t, "pod/"+p.Name)
	}
	if _, now := w.signingKey(); string(now) == string(value) {
		t.Error("the stolen key is still in the Secret")
	}
	r = w.rotate(3, "emergency-jwt", config, "--yes", "--cut", "--timeout=10s", "-o", "json")
	if late := safeAt(t, r).Sub(a.lastSuccess()); late < 0 || late > 2500*time.Millisecond {
		t.Errorf("reported safe %v after the attacker's last success: %s", late, r)
	}
	patch = []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"backend","image":"` + deploy.BackendImage + `"}]}}}}`)
	_, err = w.kube.AppsV1().Deployments(w.ns).Patch(w.ctx, "backend", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	w.must("mending it", err)
	w.rotate(0, "emergency-jwt", config, "--yes")
	w.refusedEverywhere(name, value)
	w.erased(value)
}

// The alarm comes in the middle of a scheduled rotation: both the key in use and the pending one count as stolen. There is
// no way back from there, and an abort says so.
func TestEmergencyInMidRotation(t *testing.T) {
	long(t)
	w, config := signing(t, time.Minute)
	name, value := w.signingKey()
	w.rotate(3, "jwt", config, "--yes", "--until=activate")
	pending, key := w.signingKey()
	if pending == name {
		t.Fatalf("%s is still active", name)
	}
	w.rotate(3, "emergency-jwt", config, "--yes", "--until=activate")
	r := w.as("restricted", "abort", "jwt", config, "--yes")
	if r.code == 0 || !strings.Contains(r.stderr, "has leaked: there is no way back to it") {
		t.Errorf("an abort was not refused: %s", r)
	}
	w.rotate(0, "emergency-jwt", config, "--yes")
	for stolen, value := range map[string][]byte{name: value, pending: key} {
		w.refusedEverywhere(stolen, value)
		w.erased(value)
	}
}

// Sessions that were opened with a stolen key end, by their pattern, and not before every pod refuses it; the denylist and
// whatever else is there stay. Only when FLUSHDB is asked for does everything go, and what that is is shown before.
func TestSessionsEndInAnEmergency(t *testing.T) {
	long(t)
	w, _ := signing(t, time.Minute)
	config := w.targetsFile(probed + "    sessions: {patterns: [\"session:*\"]}\n")
	w.grantWith("jwt", config)
	password, err := w.platform.SecretValue(w.ctx, "redis-admin", "password")
	w.must("reading the administrator's password", err)
	store := redis.NewClient(&redis.Options{Addr: w.platform.Redis, Password: password, DisableIdentity: true, Protocol: 2})
	defer store.Close()
	keys := []string{"session:1", "session:2", "denylist:3", "cache:4"}
	for _, key := range keys {
		w.must("setting "+key, store.Set(w.ctx, key, "x", 0).Err())
	}
	name, value := w.signingKey()
	a := w.attacked(name, value)
	w.until("the attacker gets in", func() bool { a.mu.Lock(); defer a.mu.Unlock(); return !a.last.IsZero() })
	plan := w.rotate(0, "emergency-jwt", config, "--dry-run")
	plan.says(t, "UNLINK session:*: 2 keys go")
	ended := make(chan time.Time, 1)
	watching, stop := context.WithCancel(w.ctx)
	defer stop()
	go func() {
		for watching.Err() == nil {
			if n, err := store.Exists(watching, "session:1").Result(); err == nil && n == 0 {
				ended <- time.Now()
				return
			}
			tick(watching, 5*time.Millisecond)
		}
	}()
	w.rotate(0, "emergency-jwt", config, "--yes", "--cut").says(t, "UNLINK session:*: 2 keys removed")
	if last := a.lastSuccess(); !(<-ended).After(last) {
		t.Error("sessions ended while the stolen key was still accepted")
	}
	left, err := store.Keys(w.ctx, "*").Result()
	w.must("listing keys", err)
	slices.Sort(left)
	if !slices.Equal(left, []string{"cache:4", "denylist:3"}) {
		t.Errorf("left are %q", left)
	}
	w.rotate(0, "emergency-jwt", config, "--yes", "--again", "--flush-db").says(t, "FLUSHDB of database 0: 2 keys go", "1 keys denylist:*")
	if n, err := store.DBSize(w.ctx).Result(); err != nil || n != 0 {
		t.Errorf("%d keys are left, %v", n, err)
	}
}
