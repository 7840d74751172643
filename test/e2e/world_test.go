package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
	"github.com/kubectl-rotate/kubectl-rotate/test/platform/load"
)

const kubeconfigVariable = "KUBECTL_ROTATE_KUBECONFIG"

// plugin is the program under test, built once by TestMain.
var plugin string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "kubectl-rotate-e2e")
	if err != nil {
		panic(err)
	}
	plugin = filepath.Join(dir, "kubectl-rotate")
	build := exec.Command("go", "build", "-o", plugin, "../../cmd/kubectl-rotate")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building the plugin: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// world is a platform in a namespace of its own, and the one who rotates on it.
type world struct {
	*testing.T
	ctx        context.Context
	kubeconfig string
	config     *rest.Config // the administrator's
	kube       kubernetes.Interface
	ns         string
	platform   *deploy.Platform
	marks      int // rules that were added to see whether the API server goes by a Role
}

// newWorld deploys a platform for one test, and lets the restricted user rotate on it. The test runs beside others: it has
// a namespace of its own, and most of its time is waiting.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := newCluster(t)
	w.deploy()
	return w
}

// deploy brings the platform up in the world's namespace until the test ends.
func (w *world) deploy() {
	w.Helper()
	w.deployWith(deploy.Options{}, "postgres")
}

// deployWith is deploy with a platform of another form, on which another target is rotated.
func (w *world) deployWith(o deploy.Options, target string) {
	w.Helper()
	var err error
	w.platform, err = deploy.Deploy(w.ctx, w.config, w.ns, o)
	w.must("deploying the platform", err)
	w.Cleanup(func() { // the cluster does the rest while the next test begins
		if err := w.kube.CoreV1().Namespaces().Delete(context.WithoutCancel(w.ctx), w.ns, metav1.DeleteOptions{}); err != nil {
			w.Errorf("removing the platform: %v", err)
		}
	})
	w.grant(target)
}

// long leaves a test to `make soak`: it takes minutes, and shows what is rare.
func long(t *testing.T) {
	t.Helper()
	if os.Getenv(soakVariable) == "" {
		t.Skip("it takes minutes: see `make soak`")
	}
}

// counting are the tests, by name, that measure times or count what became of requests.
var counting sync.Map

// alone lets a test, with its subtests, have the machine to itself: it runs before those that run beside each other. It comes first in
// every test that measures times or counts what became of requests.
func alone(t *testing.T) {
	t.Helper()
	counting.Store(t.Name(), true)
}

// isAlone says whether a test, or the one that it is part of, has the machine to itself.
func isAlone(t *testing.T) bool {
	name, _, _ := strings.Cut(t.Name(), "/")
	_, is := counting.Load(name)
	return is
}

// newCluster is a world without a platform.
func newCluster(t *testing.T) *world {
	t.Helper()
	path := os.Getenv(kubeconfigVariable)
	if path == "" {
		t.Skipf("%s names no cluster: see `make e2e`", kubeconfigVariable)
	}
	if !isAlone(t) {
		t.Parallel()
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 100, 200
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute)
	t.Cleanup(cancel)
	return &world{
		T: t, ctx: ctx, kubeconfig: path, config: config, kube: kubernetes.NewForConfigOrDie(config),
		ns: namespace(t.Name()),
	}
}

// namespace is one of its own for each run of a test: what an earlier run left behind does not matter.
func namespace(test string) string {
	name := strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(strings.TrimPrefix(test, "Test")))
	return fmt.Sprintf("e2e-%.40s-%06x", name, time.Now().UnixNano()&0xffffff)
}

func (w *world) must(what string, err error) {
	w.Helper()
	if err != nil {
		w.Fatalf("%s: %v", what, err)
	}
}

// grant binds the restricted user to what `kubectl rotate rbac` prints for a target. It names no workloads: most tests make more of them.
func (w *world) grant(target string) {
	w.Helper()
	printed := w.as("admin", "rbac", target, "--names=false")
	if printed.code != 0 {
		w.Fatalf("rbac: %s", printed)
	}
	var role rbacv1.Role
	w.must("reading the Role", yaml.UnmarshalStrict([]byte(printed.stdout), &role))
	role.Namespace = w.ns
	_, err := w.kube.RbacV1().Roles(w.ns).Create(w.ctx, &role, metav1.CreateOptions{})
	w.must("creating the Role", err)
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "restricted"}},
	}
	_, err = w.kube.RbacV1().RoleBindings(w.ns).Create(w.ctx, binding, metav1.CreateOptions{})
	w.must("binding the Role", err)
}

// result is how a command ended.
type result struct {
	args           []string
	code           int
	stdout, stderr string
}

// String shows all of it.
func (r result) String() string {
	return fmt.Sprintf("kubectl rotate %s: exit code %d\nstdout:\n%s\nstderr:\n%s", strings.Join(r.args, " "), r.code, r.stdout, r.stderr)
}

// command is the program in the world's namespace, in one of the kubeconfig's contexts.
func (w *world) command(context string, args ...string) *exec.Cmd {
	verb, rest := args[:1], args[1:] // a flag of the test's own beats these, which come before it
	all := slices.Concat(verb, []string{"--kubeconfig", w.kubeconfig, "--context", context, "-n", w.ns}, rest)
	c := exec.CommandContext(w.ctx, plugin, all...)
	c.Dir = w.TempDir()
	c.Env = append(os.Environ(), "KUBECONFIG=")
	return c
}

// as runs a command to its end.
func (w *world) as(context string, args ...string) result {
	w.Helper()
	c := w.command(context, args...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	err := c.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		w.Fatalf("running %v: %v", args, err)
	}
	return result{args: args, code: c.ProcessState.ExitCode(), stdout: out.String(), stderr: errs.String()}
}

// rotate runs a command as the restricted user and wants it to end with code.
func (w *world) rotate(code int, args ...string) result {
	w.Helper()
	r := w.as("restricted", args...)
	if r.code != code {
		w.Fatalf("want exit code %d: %s", code, r)
	}
	return r
}

// loaded sends 100 requests a second until the test ends, or what the machine serves of them, and fails the test if any failed.
func (w *world) loaded() *load.Run {
	w.Helper()
	return w.loadedWith(100)
}

// loadedWith is loaded at another rate, in requests a second.
func (w *world) loadedWith(rate float64) *load.Run {
	w.Helper()
	if !isAlone(w.T) {
		w.Fatal("a test that counts what became of requests begins with alone(t)")
	}
	config, err := load.Calibrate(w.ctx, load.Config{URL: w.platform.URL, Rate: rate})
	w.must("finding the rate that this machine serves", err)
	run, err := load.Start(w.ctx, config)
	w.must("starting the load", err)
	w.Cleanup(func() {
		s := run.Stop()
		w.Logf("wanted %.0f requests a second, this machine serves %v: %s", rate, config.Rate, s.Line())
		if err := s.Err(); err != nil {
			w.Errorf("%v\n%+v", err, s.FirstFailures)
		}
	})
	return run
}

// secret is a Secret of the platform; nil if it is not there.
func (w *world) secret(name string) *corev1.Secret {
	w.Helper()
	s, err := w.kube.CoreV1().Secrets(w.ns).Get(w.ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	w.must("reading secret "+name, err)
	return s
}

// login is what the application's Secret says.
type login struct{ user, password string }

func (w *world) login() login {
	w.Helper()
	s := w.secret("postgresql-credentials")
	return login{string(s.Data["username"]), string(s.Data["password"])}
}

// saved are the versions whose value the record Secret holds.
func (w *world) saved() (versions []string) {
	w.Helper()
	s := w.secret("postgresql-credentials-rotate")
	if s == nil {
		return nil
	}
	for key := range s.Data {
		if strings.HasPrefix(key, "v") {
			v, _, _ := strings.Cut(key, ".")
			versions = append(versions, v)
		}
	}
	slices.Sort(versions)
	return slices.Compact(versions)
}

// pods are the backend's pods that are not on their way out.
func (w *world) pods() (pods []corev1.Pod) {
	w.Helper()
	list, err := w.kube.CoreV1().Pods(w.ns).List(w.ctx, metav1.ListOptions{LabelSelector: "app=backend"})
	w.must("listing pods", err)
	for _, p := range list.Items {
		if p.DeletionTimestamp == nil {
			pods = append(pods, p)
		}
	}
	return pods
}

// until waits for a condition.
func (w *world) until(what string, is func() bool) {
	w.Helper()
	for !is() {
		select {
		case <-w.ctx.Done():
			w.Fatalf("waiting until %s: %v", what, w.ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
