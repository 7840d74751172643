package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// kubectl finds the plugin by its name, hands it what comes after `rotate`, and its help starts with what was typed. A link
// of another name makes no difference.
func TestAsPlugin(t *testing.T) {
	cluster := os.Getenv(kubeconfigVariable)
	if cluster == "" {
		t.Skipf("%s names no cluster, whose kubectl this is about", kubeconfigVariable)
	}
	kubectl, err := exec.LookPath(filepath.Join(filepath.Dir(cluster), "bin", "kubectl"))
	if err != nil { // a cluster of somebody's own
		if kubectl, err = exec.LookPath("kubectl"); err != nil {
			t.Fatal(err)
		}
	}
	run := func(program string, args ...string) (string, error) {
		c := exec.Command(program, args...)
		c.Env = append(os.Environ(), "PATH="+filepath.Dir(plugin)+":/usr/bin:/bin", "KUBECONFIG="+os.DevNull)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := run(kubectl, "rotate", "version"); err != nil || !strings.HasPrefix(out, "kubectl rotate ") {
		t.Errorf("kubectl rotate version: %v\n%s", err, out)
	}
	if out, err := run(kubectl, "rotate", "postgres", "--help"); err != nil || !strings.Contains(out, "  kubectl rotate postgres [TARGET]") {
		t.Errorf("kubectl rotate postgres --help: %v\n%s", err, out)
	}
	// kubectl itself refuses flags before a plugin's name; the README says so.
	if out, err := run(kubectl, "--context=x", "rotate", "version"); err == nil {
		t.Errorf("kubectl takes flags before a plugin's name by now: the README can say so\n%s", out)
	}
	link := filepath.Join(t.TempDir(), "kubectl-turn")
	if err := os.Symlink(plugin, link); err != nil {
		t.Fatal(err)
	}
	if out, err := run(link, "--help"); err != nil || !strings.Contains(out, "  kubectl rotate [flags]") {
		t.Errorf("a link of another name: %v\n%s", err, out)
	}
}
