package cluster

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/cache"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/network"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/progress"
)

func TestConfigs(t *testing.T) {
	c := claimed(t)
	if err := c.writeConfigs(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"containerd.toml", "kubelet.yaml", "kube-proxy.yaml", "audit.yaml", "resolv.conf", "cni/10-ptp.conflist"} {
		if text := read(t, c.path("config", file)); text == "" || strings.Contains(text, "<no value>") {
			t.Errorf("%s is not complete:\n%s", file, text)
		}
	}
	var cni struct {
		Plugins []struct {
			IPAM struct{ Ranges [][]map[string]string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, c.path("config/cni/10-ptp.conflist"))), &cni); err != nil {
		t.Fatal(err)
	}
	if got, want := cni.Plugins[0].IPAM.Ranges[0][0]["subnet"], c.plan.NodePods(0).String(); got != want {
		t.Errorf("pods get addresses from %s, not %s", got, want)
	}
}

// kube-proxy ends when its file is touched.
func TestConfigsThatAreRightStayUntouched(t *testing.T) {
	c := claimed(t)
	file := c.path("config/kube-proxy.yaml")
	past := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := c.writeConfigs(); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(file, past, past); err != nil {
		t.Fatal(err)
	}
	if err := c.writeConfigs(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || !info.ModTime().Equal(past) {
		t.Errorf("the file was written again: %v, %v", info.ModTime(), err)
	}
}

func TestAccess(t *testing.T) {
	c := claimed(t)
	if err := c.writeAccess(); err != nil {
		t.Fatal(err)
	}
	kubeconfig := read(t, c.Kubeconfig())
	for _, want := range []string{
		"current-context: admin\n", "user: restricted, namespace: default}", "server: https://" + c.plan.Node().String() + ":6443\n",
	} {
		if !strings.Contains(kubeconfig, want) {
			t.Errorf("the kubeconfig lacks %q", want)
		}
	}
	tokens := read(t, c.access("tokens.csv"))
	if !strings.Contains(tokens, ",restricted,restricted,\n") || !strings.Contains(tokens, ",admin,admin,system:masters\n") {
		t.Error("the users admin and restricted are not as they should be")
	}
	if err := c.writeAccess(); err != nil || read(t, c.Kubeconfig()) != kubeconfig {
		t.Errorf("a second start gave new credentials: %v", err)
	}
	for _, file := range []string{c.Kubeconfig(), c.access("tokens.csv"), c.access("ca.key"), c.access("apiserver.key")} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s can be read by others: %v, %v", file, info.Mode(), err)
		}
	}
}

func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	node, server := netip.MustParseAddr("10.128.12.2"), netip.MustParseAddr("10.128.8.1")
	if err := writeCertificates(dir, server, node); err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		name, ca, host string
		use            x509.ExtKeyUsage
	}{
		{"apiserver", "ca", "10.128.12.2", x509.ExtKeyUsageServerAuth},
		{"apiserver", "ca", "10.128.8.1", x509.ExtKeyUsageServerAuth},
		{"apiserver", "ca", "kubernetes.default.svc", x509.ExtKeyUsageServerAuth},
		{"kubelet", "ca", "10.128.12.2", x509.ExtKeyUsageServerAuth},
		{"kubelet-client", "ca", "", x509.ExtKeyUsageClientAuth},
		{"front-proxy", "front-proxy-ca", "", x509.ExtKeyUsageClientAuth},
	} {
		roots := x509.NewCertPool()
		roots.AddCert(certificate(t, dir, want.ca))
		_, err := certificate(t, dir, want.name).Verify(x509.VerifyOptions{
			Roots: roots, DNSName: want.host, KeyUsages: []x509.ExtKeyUsage{want.use},
		})
		if err != nil {
			t.Errorf("%s for %q: %v", want.name, want.host, err)
		}
	}
}

func TestNodeReady(t *testing.T) {
	began := time.Date(2026, 11, 23, 20, 0, 0, 700e6, time.UTC)
	for _, one := range []struct{ name, conditions, want string }{
		{"ready", `{"type":"Ready","status":"True","lastHeartbeatTime":"2026-11-23T20:00:00Z"}`, ""},
		{"before the start", `{"type":"Ready","status":"True","lastHeartbeatTime":"2026-11-23T19:59:59Z"}`, "since its kubelet was started"},
		{"not ready", `{"type":"Ready","status":"False","message":"no network","lastHeartbeatTime":"2026-11-23T20:00:01Z"}`, "no network"},
		{"unknown", `{"type":"Ready","status":"Unknown","lastHeartbeatTime":"2026-11-23T20:00:01Z"}`, "not ready"},
		{"other conditions only", `{"type":"DiskPressure","status":"False"}`, "not reported yet"},
	} {
		var n nodeObject
		if err := json.Unmarshal([]byte(`{"status":{"conditions":[`+one.conditions+`]}}`), &n); err != nil {
			t.Fatal(err)
		}
		err := n.ready(began)
		if (err == nil) != (one.want == "") || err != nil && !strings.Contains(err.Error(), one.want) {
			t.Errorf("%s: got %v", one.name, err)
		}
	}
}

func TestHasImages(t *testing.T) {
	list := "REF TYPE DIGEST SIZE\nexample.test/a:1 manifest sha256:11 1 KiB\nexample.test/a:2 manifest sha256:11 1 KiB\n"
	if !hasImages(list, "sha256:11", []string{"example.test/a:1", "example.test/a:2"}) {
		t.Error("an image that is there was not found")
	}
	if hasImages(list, "sha256:22", []string{"example.test/a:1"}) || hasImages(list, "sha256:11", []string{"example.test/b:1"}) {
		t.Error("another content, or another name, counts as the image")
	}
}

func TestClaimRefusesAFolderOfOthers(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	c := &Cluster{Dir: dir, Cache: &cache.Folder{Dir: t.TempDir()}, Say: progress.Lines{W: io.Discard}}
	if err := c.claim(); err == nil || !strings.Contains(err.Error(), "thesis.txt") {
		t.Errorf("got %v", err)
	}
	if err := c.Down(context.Background()); err != nil {
		t.Errorf("down where nothing is: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "thesis.txt")); err != nil {
		t.Errorf("down removed what isn't the cluster's: %v", err)
	}
}

func TestClaimKeepsThePlan(t *testing.T) {
	c := claimed(t)
	again := &Cluster{Dir: c.Dir}
	if err := again.claim(); err != nil || again.plan != c.plan {
		t.Errorf("the plan changed from %v to %v (%v)", c.plan, again.plan, err)
	}
}

func TestCommandsOnNothing(t *testing.T) {
	c := &Cluster{Dir: filepath.Join(t.TempDir(), "none"), Cache: &cache.Folder{Dir: t.TempDir()}}
	ctx := context.Background()
	for name, err := range map[string]error{
		"status": c.Status(ctx, io.Discard),
		"stop":   c.Stop(ctx, "etcd"),
		"logs":   c.WriteLog(io.Discard, "etcd"),
		"import": c.ImportFile(ctx, "image.tar"),
	} {
		if !errors.Is(err, ErrNone) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnknownComponent(t *testing.T) {
	c := claimed(t)
	var out bytes.Buffer
	if err := c.WriteLog(&out, "kubeproxy"); err == nil || !strings.Contains(err.Error(), "kube-proxy") {
		t.Errorf("the error names no components: %v", err)
	}
}

func TestRemoveFolder(t *testing.T) {
	c := claimed(t)
	if err := c.writeConfigs(); err != nil {
		t.Fatal(err)
	}
	if err := c.removeFolder(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(c.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// claimed is a cluster with a plan, of which nothing runs.
func claimed(t *testing.T) *Cluster {
	t.Helper()
	c := &Cluster{Dir: filepath.Join(t.TempDir(), ".cluster")}
	if err := c.claim(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(true, c.plan != network.Plan{}); diff != "" {
		t.Fatal("the plan is empty")
	}
	return c
}

func certificate(t *testing.T, dir, name string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(read(t, filepath.Join(dir, name+".crt"))))
	if block == nil {
		t.Fatalf("%s.crt holds no certificate", name)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestClaimReportsABrokenPlan(t *testing.T) {
	c := claimed(t)
	if err := os.WriteFile(c.planFile(), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := (&Cluster{Dir: c.Dir}).claim(); err == nil || !strings.Contains(err.Error(), "network.json") {
		t.Errorf("got %v", err)
	}
}
