package e2e

import (
	"context"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

// A Redis with nothing but a password, as a plain chart starts it, and a client that sends no user name: the user default has
// two passwords for a while. That this is lost at a restart is said before anything changes, and that nobody can tell who still
// uses the old password is asked for: a yes covers neither.
func TestRedisWithNothingButAPassword(t *testing.T) {
	long(t)
	w := &redisWorld{newCluster(t)}
	w.plainRedis()
	old := login{"default", string(w.secret("redis-credentials").Data["password"])}

	r := w.as("admin", "redis", "--yes", "--soak=0")
	if r.code != 3 || !strings.Contains(r.stderr, "users are lost at its restart") || !strings.Contains(r.stderr, "--accept=volatile") {
		t.Errorf("it is not asked for: %s", r)
	}
	if w.login().password != old.password || !w.accepted("redis-0", old) {
		t.Fatal("something was changed all the same")
	}
	r = w.as("admin", "redis", "--yes", "--soak=0", "--accept=volatile")
	if r.code != 3 || !strings.Contains(r.stderr, "does not show with which of them a connection was opened") {
		t.Errorf("what cannot be told is not asked for: %s", r)
	}
	now := login{"default", w.login().password}
	if now.password == old.password || !w.accepted("redis-0", old) || !w.accepted("redis-0", now) {
		t.Error("both passwords should be valid by now")
	}
	if r := w.as("admin", "redis", "--yes", "--soak=0", "--accept=volatile,users"); r.code != 0 {
		t.Fatal(r)
	}
	if w.accepted("redis-0", old) || !w.accepted("redis-0", now) {
		t.Error("the new password alone should be valid")
	}
	if r := w.as("admin", "status", "redis"); r.code != 0 || !strings.Contains(r.stdout, "standby") {
		t.Error(r)
	}
}

// plainRedis puts such a server and such a client into a namespace of their own.
func (w *redisWorld) plainRedis() {
	w.Helper()
	_, err := w.kube.CoreV1().Namespaces().Create(w.ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.ns}}, metav1.CreateOptions{})
	w.must("making the namespace", err)
	w.Cleanup(func() {
		_ = w.kube.CoreV1().Namespaces().Delete(context.WithoutCancel(w.ctx), w.ns, metav1.DeleteOptions{})
	})
	_, err = w.kube.CoreV1().Secrets(w.ns).Create(w.ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "redis-credentials"}, StringData: map[string]string{"password": "the first password of it all"},
	}, metav1.CreateOptions{})
	w.must("making the Secret", err)
	_, err = w.kube.CoreV1().Services(w.ns).Create(w.ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "redis"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "redis"}, Ports: []corev1.ServicePort{{Port: 6379}}},
	}, metav1.CreateOptions{})
	w.must("making the Service", err)
	_, err = w.kube.AppsV1().StatefulSets(w.ns).Create(w.ctx, &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Name: "redis"},
		Spec: appsv1.StatefulSetSpec{ServiceName: "redis", Selector: labelled("redis"), Template: redisPod("redis",
			`exec redis-server --bind '*' --protected-mode no --save '' --requirepass "$REDIS_PASSWORD"`, 6379)},
	}, metav1.CreateOptions{})
	w.must("making the server", err)
	_, err = w.kube.AppsV1().Deployments(w.ns).Create(w.ctx, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "client"},
		Spec: appsv1.DeploymentSpec{Selector: labelled("client"), Template: redisPod("client",
			`trap exit TERM; export REDISCLI_AUTH="$REDIS_PASSWORD"; until redis-cli -h "$REDIS_SERVICE_HOST" ping | grep -q PONG; do sleep 0.2; done
			touch /tmp/ready; while sleep 0.5; do redis-cli -h "$REDIS_SERVICE_HOST" incr count >/dev/null; done`, 0)},
	}, metav1.CreateOptions{})
	w.must("making the client", err)
	w.until("the client is ready", func() bool {
		d, err := w.kube.AppsV1().Deployments(w.ns).Get(w.ctx, "client", metav1.GetOptions{})
		return err == nil && d.Status.ReadyReplicas == 1
	})
}

func labelled(app string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}
}

// redisPod is a pod that runs a script with the Secret's password.
func redisPod(app, script string, port int32) corev1.PodTemplateSpec {
	c := corev1.Container{
		Name: app, Image: deploy.BaseImage, ImagePullPolicy: corev1.PullNever, Command: []string{"bash", "-c", script},
		Env: []corev1.EnvVar{{Name: "REDIS_PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: "redis-credentials"}, Key: "password",
		}}}},
		ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"ls", "/tmp/ready"}}}},
	}
	if port > 0 {
		c.Ports, c.ReadinessProbe = []corev1.ContainerPort{{ContainerPort: port}}, nil
	}
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": app}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{c}, TerminationGracePeriodSeconds: new(int64)},
	}
}
