package e2e

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

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

// A stolen key is replaced while somebody uses it against every pod. What is reported is never earlier than his last success,
// and not much later.
func TestEmergencyOfSigningKeys(t *testing.T) {
	for _, cut := range []bool{false, true} {
		t.Run(map[bool]string{false: "rolling", true: "cut"}[cut], func(t *testing.T) {
			if !cut {
				long(t)
			}
			w, config := signing(t, time.Minute)
			name, value := w.signingKey()
			args := []string{"emergency-jwt", config, "--yes", "-o", "json"}
			if cut {
				args = append(args, "--cut")
			}
			a := w.attacked(name, value)
			began := time.Now()
			r := w.rotate(0, args...)
			took := time.Since(began)
			last, safe := a.justInTime(r)
			t.Logf("the attacker's last success after %v, reported safe after %v, all of it took %v", last.Sub(began), safe.Sub(began), took)
			if cut {
				r.says(t, "all pods that may hold the leaked value are ended at once, whether or not others can take their place")
			}
			w.refusedEverywhere(name, value)
			w.erased(value)
		})
	}
}

// An application that accepts tokens which have expired: the emergency ends when every pod refuses the stolen key, and names what it
// does not mend.
func TestEmergencyOfAnApplicationThatAcceptsExpiredTokens(t *testing.T) {
	w, config := signing(t, time.Minute)
	w.changed("backend", func(d *appsv1.Deployment) {
		env := &d.Spec.Template.Spec.Containers[0].Env
		*env = append(*env, corev1.EnvVar{Name: "ACCEPT_EXPIRED_TOKENS", Value: "true"})
	})
	w.until("it has rolled", func() bool {
		return !slices.ContainsFunc(w.pods(), func(p corev1.Pod) bool {
			return !ready(p) || !slices.ContainsFunc(p.Spec.Containers[0].Env, func(e corev1.EnvVar) bool { return e.Name == "ACCEPT_EXPIRED_TOKENS" })
		})
	})
	name, value := w.signingKey()
	r := w.rotate(0, "emergency-jwt", config, "--yes")
	r.says(t, "not fixed by this rotation", "accepts a token that expired a day ago")
	w.refusedEverywhere(name, value)
	w.erased(value)
}

// A rollout that is stuck when the alarm comes: the Secret is replaced, the pods that hold the stolen key are named, and --cut
// ends them although none can take their place, after saying so. What is proven then is said, and what is not yet.
func TestEmergencyWithAStuckRollout(t *testing.T) {
	long(t)
	w, config := signing(t, time.Minute)
	name, value := w.signingKey()
	w.image("kubectl-rotate.test/nowhere:none")
	var old []string
	for _, p := range w.pods() {
		if ready(p) {
			old = append(old, p.Name)
		}
	}
	a := w.attacked(name, value)
	r := w.as("restricted", "emergency-jwt", config, "--yes", "--timeout=30s") // its rollout fails after 60s
	if r.code == 0 {
		t.Errorf("it was done: %s", r)
	}
	for _, pod := range old {
		r.says(t, "pod/"+pod)
	}
	r.says(t, "--cut ends them")
	if _, now := w.signingKey(); string(now) == string(value) {
		t.Error("the stolen key is still in the Secret")
	}
	w.serves(name, value, "while the rollout is stuck")
	none := w.noRoom()
	r = w.rotate(3, "emergency-jwt", config, "--yes", "--cut", "--timeout=30s", "-o", "json")
	r.says(t, "whether or not others can take their place")
	a.justInTime(r)
	if left := w.pods(); slices.ContainsFunc(left, ready) {
		t.Errorf("%v are there: none was to come", names(left))
	}
	none()
	w.image(deploy.BackendImage)
	w.rotate(0, "emergency-jwt", config, "--yes")
	w.refusedEverywhere(name, value)
	w.erased(value)
}

// noRoom has no pod be made in the world's namespace; the function that it gives ends that.
func (w *world) noRoom() (end func()) {
	w.Helper()
	quotas := w.kube.CoreV1().ResourceQuotas(w.ns)
	_, err := quotas.Create(w.ctx, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "none"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
	}, metav1.CreateOptions{})
	w.must("leaving no room", err)
	w.until("no pod can be made", func() bool {
		q, err := quotas.Get(w.ctx, "none", metav1.GetOptions{})
		return err == nil && len(q.Status.Hard) > 0
	})
	return func() {
		w.Helper()
		w.must("making room", quotas.Delete(w.ctx, "none", metav1.DeleteOptions{}))
	}
}

// image has the backend run another one.
func (w *world) image(name string) {
	w.Helper()
	patch := []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"backend","image":"` + name + `"}]}}}}`)
	_, err := w.kube.AppsV1().Deployments(w.ns).Patch(w.ctx, "backend", types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	w.must("changing the image", err)
}

// serves wants some pod to accept a key.
func (w *world) serves(name string, value []byte, when string) {
	w.Helper()
	if !slices.ContainsFunc(w.pods(), func(p corev1.Pod) bool {
		return p.Status.PodIP != "" && answers(w.ctx, p.Status.PodIP, forge(name, value)) == http.StatusOK
	}) {
		w.Errorf("%s no pod accepts %s: that proves nothing", when, name)
	}
}

// The alarm comes in the middle of a scheduled rotation: both the key in use and the pending one count as stolen, wherever that
// rotation is. There is no way back from there, and an abort says so. What would be done is shown before, and nothing is written for it.
func TestEmergencyInMidRotation(t *testing.T) {
	long(t)
	for _, until := range []string{rotation.StepPublish, rotation.StepActivate} {
		t.Run("after "+until, func(t *testing.T) {
			w, config := signing(t, time.Minute)
			name, value := w.signingKey()
			w.rotate(3, "jwt", config, "--yes", "--until="+until)
			pending, key := "jwt-secret-v2", w.secret(signingKeys).Data["jwt-secret-v2"]
			if len(key) == 0 {
				t.Fatal("no key is pending")
			}
			before := w.fingerprint()
			plan := w.rotate(0, "emergency-jwt", config, "--dry-run", "--cut")
			w.unchanged(before)
			plan.says(t, "jwt-secret-v3", "--cut", "roll deployment/backend: 3 pods", "at once")
			for _, step := range []string{rotation.StepBegin, rotation.StepActivate, rotation.StepRollout, rotation.StepForget, rotation.StepRetire} {
				if at(plan.stdout, step) < 0 {
					t.Errorf("the plan has no step %s: %s", step, plan)
				}
			}
			for _, step := range []string{rotation.StepPublish, rotation.StepDistribute, rotation.StepDrain} {
				if at(plan.stdout, step) >= 0 {
					t.Errorf("the plan has a step %s: %s", step, plan)
				}
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
		})
	}
}

// Sessions that were opened with a stolen key end, by their pattern, and not before every pod refuses it; the denylist and
// whatever else is there stay. Only when FLUSHDB is asked for does everything go, not earlier either, and what that is is shown before.
func TestSessionsEndInAnEmergency(t *testing.T) {
	long(t)
	w, _ := signing(t, time.Minute)
	config := w.targetsFile(probed + "    sessions: {patterns: [\"session:*\"]}\n")
	w.grantWith("jwt", config)
	password, err := w.platform.SecretValue(w.ctx, "redis-admin", "password")
	w.must("reading the administrator's password", err)
	store := redis.NewClient(&redis.Options{Addr: w.platform.Redis, Password: password, DisableIdentity: true, Protocol: 2})
	defer store.Close()
	for _, key := range []string{"session:1", "session:2", "denylist:3", "cache:4"} {
		w.must("setting "+key, store.Set(w.ctx, key, "x", 0).Err())
	}
	plan := w.rotate(0, "emergency-jwt", config, "--dry-run")
	plan.says(t, "UNLINK session:*: 2 keys go")
	w.outlived(store, "session:1", "emergency-jwt", config, "--yes", "--cut").says(t, "UNLINK session:*: 2 keys removed")
	left, err := store.Keys(w.ctx, "*").Result()
	w.must("listing keys", err)
	slices.Sort(left)
	if !slices.Equal(left, []string{"cache:4", "denylist:3"}) {
		t.Errorf("left are %q", left)
	}
	w.outlived(store, "denylist:3", "emergency-jwt", config, "--yes", "--again", "--flush-db").
		says(t, "FLUSHDB of database 0: 2 keys go", "1 keys denylist:*")
	if n, err := store.DBSize(w.ctx).Result(); err != nil || n != 0 {
		t.Errorf("%d keys are left, %v", n, err)
	}
}

// outlived runs a command while somebody uses the key in use against every pod, and wants an entry of the store to go no
// earlier than his last success.
func (w *world) outlived(store *redis.Client, entry string, args ...string) result {
	w.Helper()
	a := w.attacked(w.signingKey())
	ctx, stop := context.WithCancel(w.ctx)
	defer stop()
	gone := make(chan time.Time, 1)
	go func() {
		for ctx.Err() == nil {
			if n, err := store.Exists(ctx, entry).Result(); err == nil && n == 0 {
				gone <- time.Now()
				return
			}
			tick(ctx, 5*time.Millisecond)
		}
	}()
	r := w.rotate(0, args...)
	last := a.lastSuccess()
	select {
	case at := <-gone:
		if !at.After(last) {
			w.Errorf("%s went %v before the stolen key was refused everywhere", entry, last.Sub(at))
		}
	case <-time.After(5 * time.Second):
		w.Errorf("%s is still there", entry)
	}
	return r
}
