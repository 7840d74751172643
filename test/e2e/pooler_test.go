package e2e

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

// A PgBouncer with a list of users stands between the application and the server: it turns the new login away, which is
// seen before anything changes for the consumers, and said with what to do. That done, the rotation goes through, and what the
// pool keeps of the old login is named as the pool's.
func TestPoolerWithAListOfUsers(t *testing.T) {
	long(t)
	alone(t)
	w := newWorld(t)
	w.pooled()
	w.loaded()
	old := w.login()
	pods := w.pods()
	r := w.rotate(3, "postgres", "--yes", "--soak=1s", "--timeout=5s")
	for _, want := range []string{"pgbouncer/demo-platform", "refused", `add "backend_v2" to its auth_file`, "RELOAD"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no word of %q: %s", want, r)
		}
	}
	if w.login() != old || len(w.pods()) != len(pods) || w.pods()[0].UID != pods[0].UID {
		t.Fatalf("something changed for the consumers: %s", r)
	}
	w.know("backend_v2")
	w.rotate(3, "postgres", "--yes", "--until=rollout")
	w.waits([]string{"pooler pod/pgbouncer", "RECONNECT", "--stragglers=terminate"}, "postgres", "--yes")
	w.rotate(0, "postgres", "--yes", "--soak=1s", "--stragglers=terminate")
	w.standby("backend_v2")
}

const poolerSettings = `[databases]
* = host=%s port=5432
[pgbouncer]
listen_addr = *
listen_port = 6432
pool_mode = transaction
auth_type = scram-sha-256
auth_file = /pool/users
unix_socket_dir =
max_client_conn = 500
`

// pooled puts a PgBouncer in front of the database, for the application to come in by.
func (w *world) pooled() {
	w.Helper()
	host, _, _ := strings.Cut(w.platform.PostgreSQL, ":")
	labels := map[string]string{"app": "pgbouncer"}
	_, err := w.kube.CoreV1().ConfigMaps(w.ns).Create(w.ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "pgbouncer"}, Data: map[string]string{"ini": fmt.Sprintf(poolerSettings, host)},
	}, metav1.CreateOptions{})
	w.must("configuring the pooler", err)
	service, err := w.kube.CoreV1().Services(w.ns).Create(w.ctx, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "pgbouncer"},
		Spec:       corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 6432, TargetPort: intstr.FromString("pool")}}},
	}, metav1.CreateOptions{})
	w.must("making its service", err)
	_, err = w.kube.CoreV1().Pods(w.ns).Create(w.ctx, poolerPod(labels), metav1.CreateOptions{})
	w.must("making the pooler", err)
	w.until("the pooler is ready", func() bool {
		p, err := w.kube.CoreV1().Pods(w.ns).Get(w.ctx, "pgbouncer", metav1.GetOptions{})
		w.must("reading the pooler", err)
		return len(p.Status.ContainerStatuses) > 0 && p.Status.ContainerStatuses[0].Ready
	})
	l := w.login()
	// A pooler that hands out its connections by the transaction takes no prepared statement with a name.
	dsn := fmt.Sprintf("postgres://%s:%s@pgbouncer:6432/demo-platform?sslmode=disable&default_query_exec_mode=exec", l.user, l.password)
	w.patch("secret", "postgresql-credentials", fmt.Sprintf(`{"stringData":{"DATABASE_URL":%q}}`, dsn))
	w.patch("deployment", "backend", fmt.Sprintf(
		`{"spec":{"template":{"spec":{"hostAliases":[{"ip":%q,"hostnames":["pgbouncer"]}]}}}}`, service.Spec.ClusterIP))
	w.must("rolling the backend", w.platform.Restart(w.ctx))
}

func poolerPod(labels map[string]string) *corev1.Pod {
	user, grace := int64(65532), int64(1)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "pgbouncer", Labels: labels},
		Spec: corev1.PodSpec{
			TerminationGracePeriodSeconds: &grace,
			SecurityContext:               &corev1.PodSecurityContext{RunAsUser: &user, RunAsGroup: &user, FSGroup: &user},
			Containers: []corev1.Container{{
				Name: "pgbouncer", Image: deploy.BaseImage, ImagePullPolicy: corev1.PullNever,
				Command: []string{"bash", "-c", `printf '"backend" "%s"\n' "$VERIFIER" >/pool/users && exec /usr/sbin/pgbouncer /config/ini`},
				Env: []corev1.EnvVar{{Name: "VERIFIER", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: "postgresql-init"}, Key: "backend-verifier"}}}},
				Ports: []corev1.ContainerPort{{Name: "pool", ContainerPort: 6432}},
				ReadinessProbe: &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
					TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("pool")}}},
				VolumeMounts: []corev1.VolumeMount{{Name: "pool", MountPath: "/pool"}, {Name: "config", MountPath: "/config"}},
			}},
			Volumes: []corev1.Volume{
				{Name: "pool", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
					LocalObjectReference: corev1.LocalObjectReference{Name: "pgbouncer"}}}},
			},
		},
	}
}

// know does what the advice says: the login and its verifier go into the pooler's list, and it reads that again.
func (w *world) know(login string) {
	w.Helper()
	var line string
	conn := w.admin("postgres")
	defer conn.Close(w.ctx)
	w.must("reading the verifier", conn.QueryRow(w.ctx,
		`SELECT format('"%s" "%s"', rolname, rolpassword) FROM pg_authid WHERE rolname = $1`, login).Scan(&line))
	w.exec("pgbouncer", line+"\n", "bash", "-c", "cat >>/pool/users && kill -HUP 1")
}

// exec runs a command in a pod.
func (w *world) exec(pod, stdin string, command ...string) {
	w.Helper()
	request := w.kube.CoreV1().RESTClient().Post().Namespace(w.ns).Resource("pods").Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Command: command, Stdin: true, Stderr: true}, scheme.ParameterCodec)
	run, err := remotecommand.NewWebSocketExecutor(w.config, "GET", request.URL().String())
	w.must("preparing to run "+command[0], err)
	var said strings.Builder
	err = run.StreamWithContext(w.ctx, remotecommand.StreamOptions{Stdin: strings.NewReader(stdin), Stderr: &said})
	w.must(fmt.Sprintf("running %v in %s: %s", command, pod, &said), err)
}

// patch merges into a secret or a deployment, as somebody else than a rotation.
func (w *world) patch(kind, name, with string) {
	w.Helper()
	var err error
	if kind == "secret" {
		_, err = w.kube.CoreV1().Secrets(w.ns).Patch(w.ctx, name, types.StrategicMergePatchType, []byte(with), metav1.PatchOptions{})
	} else {
		_, err = w.kube.AppsV1().Deployments(w.ns).Patch(w.ctx, name, types.StrategicMergePatchType, []byte(with), metav1.PatchOptions{})
	}
	w.must("changing "+kind+" "+name, err)
}
