package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"sigs.k8s.io/yaml"
)

// A PostgreSQL as its container's first process, with bash as the only relay: the one that has children, which must not
// become PostgreSQL's. Beside it are containers with another relay each. The image is the platform's base: Debian with
// PostgreSQL, perl, socat and bash.
const clusterPod = `
metadata: {name: server-0}
spec:
  terminationGracePeriodSeconds: 1
  volumes:
  - {name: run, emptyDir: {}}
  - {name: paths, emptyDir: {}}
  - name: admin
    secret: {secretName: admin}
  initContainers:
  - name: paths
    command: [/bin/bash, -ec]
    args:
    - |
      for relay in perl socat bash none; do
        mkdir /paths/$relay
        for program in sh cat $relay; do
          if [ $program != none ]; then ln -s /usr/bin/$program /paths/$relay/$program; fi
        done
      done
      chown postgres /run/server
    volumeMounts: [{name: paths, mountPath: /paths}, {name: run, mountPath: /run/server}]
  containers:
  - name: db
    command: [/bin/bash, -ec]
    args:
    - |
      bin=$(echo /usr/lib/postgresql/*/bin)
      $bin/initdb -D /tmp/data -U postgres --auth-local=peer --auth-host=scram-sha-256 --pwfile=$POSTGRES_PASSWORD_FILE >/dev/null
      exec $bin/postgres -D /tmp/data -c fsync=off -c unix_socket_directories=/run/server
    securityContext: {runAsUser: 101}
    env: [{name: POSTGRES_PASSWORD_FILE, value: /admin/password}, {name: PATH, value: /paths/bash}]
    volumeMounts: [{name: run, mountPath: /run/server}, {name: paths, mountPath: /paths}, {name: admin, mountPath: /admin}]
`

const clusterSidecar = `
name: %[1]s
command: [/usr/bin/sleep, infinity]
securityContext: {runAsUser: 101}
env: [{name: PATH, value: /paths/%[1]s}]
volumeMounts: [{name: run, mountPath: /run/server}, {name: paths, mountPath: /paths}]
`

// cluster is a namespace of a real cluster for one test.
type cluster struct {
	*Clients
	namespace string
	proxy     *cutter   // between us and the API server
	witness   *pgx.Conn // not through the proxy; PostgreSQL ends it if it believes that a backend crashed
}

// startCluster needs KUBECTL_ROTATE_KUBECONFIG, and the platform's image on the node (or KUBECTL_ROTATE_IMAGE).
func startCluster(t *testing.T) *cluster {
	t.Helper()
	file := os.Getenv("KUBECTL_ROTATE_KUBECONFIG")
	if file == "" {
		t.Skip("KUBECTL_ROTATE_KUBECONFIG names no cluster")
	}
	flags := genericclioptions.NewConfigFlags(false)
	flags.KubeConfig = &file
	c, err := New(flags, Options{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	namespace, err := c.Kube.CoreV1().Namespaces().Create(t.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "kube-test-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	direct := c.Kube // without the proxy, which is gone by then
	t.Cleanup(func() {
		if err := direct.CoreV1().Namespaces().Delete(context.Background(), namespace.Name, metav1.DeleteOptions{}); err != nil {
			t.Error(err)
		}
	})
	k := &cluster{Clients: c, namespace: namespace.Name}
	k.createPod(t)
	k.witness = k.mustConnect(t, k.dialer(ViaPortForward, ""))
	k.proxy = k.through(t, c)
	return k
}

// through sends all that c sends through a proxy that the test can cut.
func (k *cluster) through(t *testing.T, c *Clients) *cutter {
	t.Helper()
	u, err := url.Parse(c.Config.Host)
	if err != nil {
		t.Fatal(err)
	}
	p := newCutter(t, u.Host)
	if c.Config.ServerName == "" {
		c.Config.ServerName = u.Hostname()
	}
	c.Config.Host = "https://" + p.Addr().String()
	if c.Kube, err = kubernetes.NewForConfig(c.Config); err != nil {
		t.Fatal(err)
	}
	return p
}

func (k *cluster) createPod(t *testing.T) {
	t.Helper()
	var pod corev1.Pod
	if err := yaml.UnmarshalStrict([]byte(clusterPod), &pod); err != nil {
		t.Fatal(err)
	}
	for _, relay := range []string{"perl", "socat", "none"} {
		var c corev1.Container
		if err := yaml.UnmarshalStrict(fmt.Appendf(nil, clusterSidecar, relay), &c); err != nil {
			t.Fatal(err)
		}
		pod.Spec.Containers = append(pod.Spec.Containers, c)
	}
	image := os.Getenv("KUBECTL_ROTATE_IMAGE")
	if image == "" {
		image = "kubectl-rotate.test/platform-base:dev"
	}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			list[i].Image, list[i].ImagePullPolicy = image, corev1.PullNever
		}
	}
	core := k.Kube.CoreV1()
	_, err := core.Secrets(k.namespace).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "admin"}, StringData: map[string]string{"password": "tunnel-test\n"},
	}, metav1.CreateOptions{})
	if err == nil {
		_, err = core.Pods(k.namespace).Create(t.Context(), &pod, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	await(t, "PostgreSQL to answer", func() bool {
		c, err := k.connect(t, k.dialer(ViaPortForward, ""))
		if err == nil {
			_ = c.Close(t.Context())
		}
		return err == nil
	})
}

func (k *cluster) dialer(via Via, container string) *Dialer {
	d := k.Dialer(k.namespace, "server-0")
	d.Via, d.Container = via, container
	return d
}

// connect logs in as a user of the package does: by pgx, with the password out of the pod's environment.
func (k *cluster) connect(t *testing.T, d *Dialer) (*pgx.Conn, error) {
	t.Helper()
	environment, err := ContainerEnv(t.Context(), k.Kube.CoreV1(), k.namespace, "server-0", "db")
	if err != nil {
		return nil, err
	}
	password, _, err := environment.Lookup(t.Context(), "POSTGRES_PASSWORD")
	if err != nil {
		return nil, err
	}
	config, err := pgx.ParseConfig("host=server port=5432 user=postgres sslmode=disable")
	if err != nil {
		return nil, err
	}
	config.Password = string(password.Value.Reveal())
	config.DialFunc = d.DialContext
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.CancelRequestContextWatcherHandler{Conn: c, DeadlineDelay: 5 * time.Second}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return pgx.ConnectConfig(ctx, config)
}

func (k *cluster) mustConnect(t *testing.T, d *Dialer) *pgx.Conn {
	t.Helper()
	c, err := k.connect(t, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func ask[T any](t *testing.T, c *pgx.Conn, query string) (answer T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := c.QueryRow(ctx, query).Scan(&answer); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return answer
}

func TestCluster(t *testing.T) {
	k := startCluster(t)
	ways := map[string]func() *Dialer{
		"port-forward": func() *Dialer { return k.dialer(ViaPortForward, "") },
		"perl":         func() *Dialer { return k.dialer(ViaExec, "perl") },
		"socat":        func() *Dialer { return k.dialer(ViaExec, "socat") },
		"bash":         func() *Dialer { return k.dialer(ViaExec, "db") },
		"perl to the Unix socket": func() *Dialer {
			d := k.dialer(ViaExec, "perl")
			d.Socket = "/run/server/.s.PGSQL.5432" // peer authentication
			return d
		},
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) { k.tryWay(t, way) })
	}
	t.Run("nothing stays behind", k.leavesNothing)
	t.Run("refused", k.refused)
	t.Run("no relay", k.noRelay)
	t.Run("create alone is enough", k.createAlone)
	t.Run("no permission", k.noPermission)
	t.Run("stays up in silence", k.staysUpInSilence)
	if got := ask[int](t, k.witness, "SELECT 1"); got != 1 {
		t.Error(got)
	}
	t.Run("the pod is deleted in mid-query", k.podDeleted)
}

// tryWay does with one way to the server what the adapters do.
func (k *cluster) tryWay(t *testing.T, way func() *Dialer) {
	t.Run("query", func(t *testing.T) {
		d := way()
		began := time.Now()
		c := k.mustConnect(t, d)
		t.Logf("login took %v", time.Since(began).Round(time.Millisecond))
		if got := ask[int](t, c, "SELECT sum(length(repeat('x', 1000)))::int FROM generate_series(1, 10000)"); got != 10_000_000 {
			t.Error(got)
		}
		began = time.Now()
		for range 100 {
			ask[int](t, c, "SELECT 1")
		}
		t.Logf("a query takes %v", (time.Since(began) / 100).Round(time.Microsecond))
		began = time.Now()
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
		t.Logf("close took %v", time.Since(began).Round(time.Millisecond))
	})
	t.Run("much data", func(t *testing.T) {
		c := k.mustConnect(t, way())
		began := time.Now()
		text := ask[string](t, c, "SELECT repeat('0123456789abcdef', 1 << 20)")
		t.Logf("16 MiB came in %v", time.Since(began).Round(time.Millisecond))
		if len(text) != 16<<20 {
			t.Errorf("%d bytes", len(text))
		}
		var got int
		if err := c.QueryRow(t.Context(), "SELECT length($1)", text).Scan(&got); err != nil || got != len(text) {
			t.Errorf("sent %d, %v", got, err)
		}
	})
	t.Run("cancel", func(t *testing.T) { k.cancelled(t, k.mustConnect(t, way())) })
	t.Run("server hangs up", func(t *testing.T) {
		c := k.mustConnect(t, way())
		waiting := make(chan error, 1)
		go func() { waiting <- sleepInServer(t, c) }()
		k.awaitSleeper(t, k.witness)
		k.endSleepers(t)
		var pgErr *pgconn.PgError
		if err := <-waiting; !errors.As(err, &pgErr) || pgErr.Code != "57P01" {
			t.Errorf("query: %v, want the server's farewell", err)
		}
	})
	t.Run("clean end", func(t *testing.T) {
		c := dial(t, way(), "tcp", "server:5432")
		_, _ = c.Write([]byte{0, 0, 0, 8, 0, 9, 0, 9}) // a protocol that it can't speak
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		began := time.Now()
		answer, err := io.ReadAll(c)
		t.Logf("the end came after %v", time.Since(began).Round(time.Millisecond))
		if err != nil || !bytes.Contains(answer, []byte("unsupported frontend protocol")) {
			t.Errorf("read %q, %v", answer, err)
		}
	})
	t.Run("killed in mid-query", func(t *testing.T) {
		c := k.mustConnect(t, way())
		waiting := make(chan error, 1)
		go func() { waiting <- sleepInServer(t, c) }()
		k.awaitSleeper(t, k.witness)
		k.proxy.cut()
		began := time.Now()
		if err := <-waiting; err == nil {
			t.Error("the query succeeded")
		}
		cause := c.PgConn().Conn().(*conn).Cause()
		t.Logf("after %v: %v", time.Since(began).Round(time.Millisecond), cause)
		if !errors.Is(cause, ErrLostConnection) {
			t.Errorf("query: %v, want %v", cause, ErrLostConnection)
		}
	})
}

// cancelled ends a query by its context; the server must hear of it, by a connection of its own.
func (k *cluster) cancelled(t *testing.T, c *pgx.Conn) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	began := time.Now()
	_, err := c.Exec(ctx, "SELECT pg_sleep(60)")
	var pgErr *pgconn.PgError
	if !errors.As(err, &pgErr) || pgErr.Code != "57014" {
		t.Errorf("query: %v, want the server to say that it was cancelled", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v", took)
	}
	if got := ask[int](t, c, "SELECT 1"); got != 1 { // the connection lives
		t.Error(got)
	}
}

func sleepInServer(t *testing.T, c *pgx.Conn) error {
	_, err := c.PgConn().Exec(t.Context(), "SELECT pg_sleep(60)").ReadAll()
	return err
}

func (k *cluster) endSleepers(t *testing.T) {
	t.Helper()
	ask[int](t, k.witness, "SELECT count(pg_terminate_backend(pid))::int FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
}

func (k *cluster) awaitSleeper(t *testing.T, c *pgx.Conn) {
	t.Helper()
	await(t, "the query to run", func() bool {
		return ask[int](t, c, "SELECT count(*)::int FROM pg_stat_activity WHERE wait_event = 'PgSleep'") > 0
	})
}

// leavesNothing ends what sleeps in the server and looks for relays in the containers.
func (k *cluster) leavesNothing(t *testing.T) {
	k.endSleepers(t)
	for _, container := range []string{"db", "perl", "socat"} {
		var left string
		await(t, "relays in "+container+" to end", func() bool {
			left = k.processes(t, container)
			return !strings.Contains(left, "kubectl-rotate") && !strings.Contains(left, "TCP:") &&
				!strings.Contains(left, "IO::") && !strings.Contains(left, "Socket") && !strings.Contains(left, "cat ")
		})
	}
}

// processes gives the command lines of all processes in a container but the one that looks.
func (k *cluster) processes(t *testing.T, container string) string {
	t.Helper()
	request := k.dialer(ViaExec, "").subresource("exec").VersionedParams(&corev1.PodExecOptions{
		Container: container, Stdout: true,
		Command: []string{"sh", "-c", `for p in /proc/[0-9]*; do [ $p = /proc/$$ ] || { while read -r line; do echo "$line"; done; echo; } <$p/cmdline; done 2>/dev/null`},
	}, scheme.ParameterCodec)
	executor, err := remotecommand.NewWebSocketExecutor(k.Config, "GET", request.URL().String())
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := executor.StreamWithContext(t.Context(), remotecommand.StreamOptions{Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	return string(bytes.ReplaceAll(out.Bytes(), []byte{0}, []byte{' '}))
}

func (k *cluster) refused(t *testing.T) {
	for _, d := range []*Dialer{k.dialer(ViaPortForward, ""), k.dialer(ViaExec, "perl"), k.dialer(ViaExec, "socat"), k.dialer(ViaExec, "db")} {
		c := dial(t, d, "tcp", "server:9")
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		began := time.Now()
		_, err := c.Read(make([]byte, 1))
		t.Logf("%s %s after %v: %v", d.Via, d.Container, time.Since(began).Round(time.Millisecond), err)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s %s: %v, want a refusal", d.Via, d.Container, err)
		}
	}
}

func (k *cluster) noRelay(t *testing.T) {
	_, err := k.dialer(ViaExec, "none").DialContext(t.Context(), "tcp", "server:5432")
	if err == nil || !strings.Contains(err.Error(), "none of perl") {
		t.Errorf("dial: %v", err)
	}
}

// as gives clients for a service account that may do what the rules say.
func (k *cluster) as(t *testing.T, name string, rules ...rbacv1.PolicyRule) *Clients {
	t.Helper()
	meta := metav1.ObjectMeta{Name: name}
	_, err := k.Kube.CoreV1().ServiceAccounts(k.namespace).Create(t.Context(), &corev1.ServiceAccount{ObjectMeta: meta}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Kube.RbacV1().Roles(k.namespace).Create(t.Context(), &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Kube.RbacV1().RoleBindings(k.namespace).Create(t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: k.namespace}},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	token, err := k.Kube.CoreV1().ServiceAccounts(k.namespace).CreateToken(t.Context(), name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := &Clients{Config: rest.AnonymousClientConfig(k.Config), Context: "test", Server: k.Server, User: name}
	c.Config.BearerToken = token.Status.Token
	if c.Kube, err = kubernetes.NewForConfig(c.Config); err != nil {
		t.Fatal(err)
	}
	return c
}

func createOn(subresource string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/" + subresource}, Verbs: []string{"create"}}
}

// staysUpInSilence waits for longer than a tunnel may be without a sign of life: pings must be answered all the way.
func (k *cluster) staysUpInSilence(t *testing.T) {
	if testing.Short() {
		t.Skip("takes longer than the silence that ends a tunnel")
	}
	narrow := k.as(t, "quiet", createOn("portforward"), createOn("exec")) // SPDY, on servers before 1.35
	var dialers []*Dialer
	for _, c := range []*Clients{k.Clients, narrow} {
		for _, via := range []Via{ViaPortForward, ViaExec} {
			d := c.Dialer(k.namespace, "server-0")
			d.Via, d.Container = via, "perl"
			dialers = append(dialers, d)
		}
	}
	answers := make(chan error, len(dialers))
	query := fmt.Sprintf("SELECT pg_sleep(%d)", int(silence.Seconds())+5)
	for _, d := range dialers {
		c := k.mustConnect(t, d)
		go func() { _, err := c.Exec(t.Context(), query); answers <- err }()
	}
	for range dialers {
		if err := <-answers; err != nil {
			t.Error(err)
		}
	}
}

func (k *cluster) createAlone(t *testing.T) {
	c := k.as(t, "narrow", createOn("portforward"))
	d := c.Dialer(k.namespace, "server-0")
	if got := ask[int](t, k.mustConnect(t, d), "SELECT 1"); got != 1 || d.Took() != ViaPortForward {
		t.Errorf("got %d by %q", got, d.Took())
	}
	d = k.as(t, "other", createOn("exec")).Dialer(k.namespace, "server-0")
	d.Container = "perl"
	if got := ask[int](t, k.mustConnect(t, d), "SELECT 1"); got != 1 || d.Took() != ViaExec {
		t.Errorf("got %d by %q", got, d.Took())
	}
	who, err := c.WhoAmI(t.Context())
	if err != nil || who != "system:serviceaccount:"+k.namespace+":narrow" {
		t.Errorf("we are %q, %v", who, err)
	}
	missing, err := c.Missing(t.Context(), []Permission{
		{Verb: "create", Resource: "pods", Subresource: "portforward", Namespace: k.namespace},
		{Verb: "create", Resource: "pods", Subresource: "exec", Namespace: k.namespace},
		{Verb: "get", Resource: "secrets", Namespace: k.namespace, Name: "admin"},
	})
	if err != nil || len(missing) != 2 || missing[0].Subresource != "exec" {
		t.Errorf("missing %v, %v", missing, err)
	}
}

func (k *cluster) noPermission(t *testing.T) {
	c := k.as(t, "nobody")
	_, err := c.Dialer(k.namespace, "server-0").DialContext(t.Context(), "tcp", "server:5432")
	t.Log(err)
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "create pods/exec in namespace "+k.namespace) {
		t.Errorf("dial: %v", err)
	}
}

func (k *cluster) podDeleted(t *testing.T) {
	c := k.mustConnect(t, k.dialer(ViaPortForward, ""))
	waiting := make(chan error, 1)
	go func() { waiting <- sleepInServer(t, c) }()
	k.awaitSleeper(t, k.witness)
	now := int64(0)
	if err := k.Kube.CoreV1().Pods(k.namespace).Delete(t.Context(), "server-0", metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	select {
	case err := <-waiting:
		t.Logf("after %v: %v", time.Since(began).Round(time.Millisecond), err)
		if err == nil {
			t.Error("the query succeeded")
		}
	case <-time.After(20 * time.Second):
		t.Error("the query hangs")
	}
	_, err := k.dialer(ViaAuto, "").DialContext(t.Context(), "tcp", "server:5432")
	if !errors.As(err, new(podError)) {
		t.Errorf("dial: %v, want that the pod is gone", err)
	}
}

// cutter passes connections on to a server until they are cut.
type cutter struct {
	*killable
}

func newCutter(t *testing.T, to string) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{&killable{Listener: l}}
	t.Cleanup(func() { _ = l.Close(); c.kill() })
	go func() {
		for {
			client, err := c.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				backend, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer backend.Close()
				join(client, client, backend, io.Reader(backend))
			}()
		}
	}()
	return c
}

func (c *cutter) cut() { c.kill() }
