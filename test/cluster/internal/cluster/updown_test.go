package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/binaries"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/cache"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/progress"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/run"
)

const podManifest = `apiVersion: v1
kind: Pod
metadata: {name: probe}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: main, image: "kubectl-rotate.test/pause:dev", imagePullPolicy: Never}
`

// One cluster's life: each part goes on where the one before left it.
func TestUpDown(t *testing.T) {
	before := firewall(t)
	c := realCluster(t, progress.Lines{W: t.Output()})
	up(t, c)
	t.Run("a pod runs", func(t *testing.T) {
		kubectl(t, c, podManifest, "apply", "-f", "-")
		kubectl(t, c, "", "wait", "--for=condition=Ready", "pod/probe", "--timeout=60s")
		kubectl(t, c, "", "logs", "probe") // the API server reaches the kubelet
	})
	t.Run("an address that no service has is refused at once", func(t *testing.T) { refuses(t, c) })
	t.Run("who may do what", func(t *testing.T) { checkAccess(t, c) })
	t.Run("a second up changes nothing", func(t *testing.T) {
		daemons := records(t, c)
		up(t, c)
		if diff := cmp.Diff(daemons, records(t, c)); diff != "" {
			t.Errorf("daemons (-before +after):\n%s", diff)
		}
	})
	t.Run("a component goes and comes back", func(t *testing.T) { stopAndStart(t, c) })
	t.Run("up mends what has crashed", func(t *testing.T) {
		for _, name := range []string{"etcd", "containerd", "kubelet"} {
			crash(t, c, name)
		}
		up(t, c)
		if got := kubectl(t, c, "", "get", "pod", "probe", "-o", "jsonpath={.status.containerStatuses[0].restartCount}"); got != "0" {
			t.Errorf("the pod was restarted %s times: it should have outlived its kubelet", got)
		}
	})
	t.Run("up brings it back after a restart of the machine", func(t *testing.T) {
		restartMachine(t, c)
		up(t, c)
		kubectl(t, c, "", "wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1", "pod/probe", "--timeout=60s")
		kubectl(t, c, "", "wait", "--for=condition=Ready", "pod/probe", "--timeout=60s")
	})
	down(t, c)
	checkNothingLeft(t, c)
	if diff := cmp.Diff(before, firewall(t)); diff != "" {
		t.Errorf("the machine's firewall (-before +after):\n%s", diff)
	}
	down(t, c)
}

// refuses wants a dial of a virtual address that leads nowhere to end at once, and to leave no connection in the tables
// that a later service of this address would meet.
func refuses(t *testing.T, c *Cluster) {
	t.Helper()
	last := c.plan.Services().Addr().As4()
	last[2] += 3
	last[3] = 254
	address := netip.AddrPortFrom(netip.AddrFrom4(last), 80).String()
	start := time.Now()
	_, err := (&net.Dialer{Timeout: 10 * time.Second}).DialContext(t.Context(), "tcp", address)
	if !errors.Is(err, syscall.ECONNREFUSED) || time.Since(start) > time.Second {
		t.Errorf("dialing %s: %v after %v, want it refused at once", address, err, time.Since(start))
	}
}

func TestDownOnHalfACluster(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := realCluster(t, progress.Lines{W: &trigger{text: "waiting for the API server", do: cancel}})
	if err := c.Up(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("the start that was interrupted ended with %v", err)
	}
	down(t, c)
	checkNothingLeft(t, c)
}

func TestTwoClustersAtOnce(t *testing.T) {
	a, b := realCluster(t, progress.Lines{W: t.Output()}), realCluster(t, progress.Lines{W: t.Output()})
	var both sync.WaitGroup
	for _, c := range []*Cluster{a, b} {
		both.Go(func() {
			if err := c.Up(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if a.plan.Block.Overlaps(b.plan.Block) {
		t.Errorf("both are in %s", a.plan.Block)
	}
	down(t, a)
	if err := b.check(t.Context()); err != nil {
		t.Errorf("the end of one harmed the other: %v", err)
	}
	down(t, b)
	checkNothingLeft(t, a)
	checkNothingLeft(t, b)
}

// realCluster is one that really comes up, in a folder of its own with a blank in its path.
func realCluster(t *testing.T, say progress.Lines) *Cluster {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root may make the namespaces and mounts of a cluster")
	}
	module, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cacheDir, err := cache.DefaultDir()
	if err != nil {
		t.Fatal(err)
	}
	c := &Cluster{
		Dir:     filepath.Join(t.TempDir(), "a cluster"),
		Module:  module,
		Cache:   &cache.Folder{Dir: cacheDir},
		Say:     say,
		Sources: binaries.Source(filepath.Join(module, "kubernetes")),
	}
	t.Cleanup(func() {
		if err := c.Down(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func up(t *testing.T, c *Cluster) {
	t.Helper()
	if err := c.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func down(t *testing.T, c *Cluster) {
	t.Helper()
	if err := c.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func kubectl(t *testing.T, c *Cluster, stdin string, args ...string) string {
	t.Helper()
	out, err := tryKubectl(t, c, stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(out)
}

func tryKubectl(t *testing.T, c *Cluster, stdin string, args ...string) (string, error) {
	return run.Program{
		Args:  append([]string{c.program("kubectl"), "--kubeconfig", c.Kubeconfig()}, args...),
		Stdin: strings.NewReader(stdin),
	}.Output(t.Context())
}

func checkAccess(t *testing.T, c *Cluster) {
	if _, err := tryKubectl(t, c, "", "--context=restricted", "get", "pods"); err == nil || !strings.Contains(err.Error(), "Forbidden") {
		t.Errorf("restricted gets pods: %v", err)
	}
	if got := kubectl(t, c, "", "--context=restricted", "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"); got != "restricted" {
		t.Errorf("the context restricted is the user %q", got)
	}
	anyone := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	resp, err := anyone.Get(c.server() + "/api/v1/namespaces")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("one without a token gets %s", resp.Status)
	}
	audit := read(t, c.path("logs/audit.log"))
	if !strings.Contains(audit, `"level":"Metadata"`) || !strings.Contains(audit, `"resource":"pods","namespace":"default","name":"probe"`) {
		t.Error("the audit log doesn't tell of the pod")
	}
}

func stopAndStart(t *testing.T, c *Cluster) {
	if err := c.Stop(t.Context(), "kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	if err := c.apiReady(t.Context()); err == nil {
		t.Error("the API server answers although it was stopped")
	}
	if err := c.Start(t.Context(), "kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	if err := c.check(t.Context()); err != nil {
		t.Error(err)
	}
}

// crash ends a daemon behind the cluster's back: its record stays.
func crash(t *testing.T, c *Cluster, name string) {
	t.Helper()
	file := c.path("pids", name+".json")
	record := read(t, file)
	if err := c.daemons().Stop(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(record), 0o600); err != nil {
		t.Fatal(err)
	}
}

// restartMachine leaves what a restart leaves: the folder.
func restartMachine(t *testing.T, c *Cluster) {
	t.Helper()
	for _, name := range c.Names() {
		crash(t, c, name)
	}
	for _, do := range []func(context.Context) error{c.cgroup().Kill, c.cgroup().Remove, c.namespaces().Down} {
		if err := do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// Down removed this, a restart would not.
	if err := os.WriteFile(c.path("ns/complete"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func records(t *testing.T, c *Cluster) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, name := range c.Names() {
		all[name] = read(t, c.path("pids", name+".json"))
	}
	return all
}

func checkNothingLeft(t *testing.T, c *Cluster) {
	t.Helper()
	if c.plan.ID == "" {
		t.Fatal("this cluster never had a plan: nothing can be looked for")
	}
	for _, pattern := range []string{
		c.Dir, "/sys/class/net/" + c.plan.HostLink(), "/sys/class/net/" + c.plan.NodeLink(),
		"/sys/fs/cgroup/" + c.cgroup().Name, "/sys/fs/cgroup/*/" + c.cgroup().Name,
	} {
		if found, err := filepath.Glob(pattern); err != nil || len(found) > 0 {
			t.Errorf("left behind: %q (%v)", found, err)
		}
	}
	if mounts := read(t, "/proc/self/mountinfo"); strings.Contains(mounts, filepath.Base(filepath.Dir(c.Dir))+"/a") {
		t.Errorf("left behind among the mounts:\n%s", mounts)
	}
	for _, p := range processesOf(t, c) {
		t.Errorf("left behind: process %s", p)
	}
}

// processesOf finds processes by their control group, or by the cluster's folder in their command line.
func processesOf(t *testing.T, c *Cluster) []string {
	t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, dir := range dirs {
		groups, _ := os.ReadFile(dir + "/cgroup")
		command, _ := os.ReadFile(dir + "/cmdline")
		if stat, err := os.ReadFile(dir + "/stat"); err != nil || strings.Contains(string(stat), ") Z ") {
			continue // it has ended, and waits for its parent to take notice
		}
		if strings.Contains(string(groups), c.cgroup().Name) || strings.Contains(string(command), c.Dir) {
			found = append(found, fmt.Sprintf("%s (%q)", filepath.Base(dir), command))
		}
	}
	return found
}

func firewall(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		return ""
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	rules, err := run.Program{Args: []string{"iptables-save"}}.Output(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// trigger is a writer that does something when it is told of a step.
type trigger struct {
	text string
	do   func()
}

func (w *trigger) Write(p []byte) (int, error) {
	if strings.Contains(string(p), w.text) {
		w.do()
	}
	return len(p), nil
}
