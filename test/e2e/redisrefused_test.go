package e2e

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What a client logs of a refusal does not name the login, and ACL LOG does. Somebody who is refused under a name of his own is no matter of
// a rotation; a pod that is refused with the new login, though it says that it is ready, has the rotation taken back.
func TestPodThatRedisRefuses(t *testing.T) {
	long(t)
	w := newRedis(t)
	rules := w.rules("redis-0")["backend"]
	w.stranger("somebody", "")
	w.says(w.rotate(0, "redis", "--yes", "--soak=1s"), "1 of 1 gates passed", "refusals")
	w.standby("backend_v2", rules)

	w.stranger("$REDIS_USERNAME", "")
	before := w.login()
	r := w.rotate(1, "redis", "--yes", "--soak=1s", "--again")
	w.says(r, "verify failed", "refusals", "pod/stranger-", "as backend_v3", "taken back")
	if w.login() != before {
		t.Errorf("the login is %s, want %s with its old password", w.login().user, before.user)
	}
	w.standby("backend_v2", rules)
}

// A pod that is connected with the new login, and that somebody has try a wrong one as well, takes nothing back: the run waits, says which
// pod it is, and ends there. Once nobody tries any more it goes on.
func TestWrongLoginsOutOfAPodThatIsWell(t *testing.T) {
	long(t)
	w := newRedis(t)
	rules := w.rules("redis-0")["backend"]
	w.stranger("$REDIS_USERNAME", `(echo "AUTH $REDIS_USERNAME $REDIS_PASSWORD"; exec sleep 3600) | redis-cli -h "$REDIS_SERVICE_HOST" &`)
	r := w.waits([]string{"refusals", "pod/stranger-", "as backend_v2", "any client may have caused it"}, "redis", "--yes", "--soak=1s")
	if strings.Contains(r.stderr, "taken back") || w.login().user != "backend_v2" {
		t.Errorf("the login is %s: %s", w.login().user, r)
	}
	w.must("removing the stranger", w.kube.AppsV1().Deployments(w.ns).Delete(w.ctx, "stranger", metav1.DeleteOptions{}))
	w.rotate(0, "redis", "--yes", "--soak=1s")
	w.standby("backend_v2", rules)
}

// stranger has a consumer that is well by its own account try to come in, with a wrong password, and do something else before.
func (w *redisWorld) stranger(user, before string) {
	w.Helper()
	d := &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "stranger"},
		Spec: appsv1.DeploymentSpec{Selector: labelled("stranger"), Template: redisPod("stranger", `trap exit TERM; touch /tmp/ready; `+before+`
			while sleep 0.2; do echo "AUTH `+user+` wrong" | redis-cli -h "$REDIS_SERVICE_HOST"; done`, 0)},
	}
	env := &d.Spec.Template.Spec.Containers[0].Env
	*env = append(*env, corev1.EnvVar{Name: "REDIS_USERNAME", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: "redis-credentials"}, Key: "username",
	}}})
	deployments := w.kube.AppsV1().Deployments(w.ns)
	_ = deployments.Delete(w.ctx, d.Name, metav1.DeleteOptions{})
	w.until("the stranger is there", func() bool {
		_, err := deployments.Create(w.ctx, d, metav1.CreateOptions{})
		return err == nil
	})
	admin := w.node("redis-0", w.admin())
	defer admin.Close()
	name := strings.Replace(user, "$REDIS_USERNAME", w.login().user, 1)
	w.until("it is refused as "+name, func() bool {
		log, err := admin.ACLLog(w.ctx, 10).Result()
		for _, entry := range log {
			if entry.Username == name {
				return true
			}
		}
		w.must("reading ACL LOG", err)
		return false
	})
	w.until("its pod is ready", func() bool {
		d, err := deployments.Get(w.ctx, d.Name, metav1.GetOptions{})
		return err == nil && d.Status.ReadyReplicas == 1
	})
}
