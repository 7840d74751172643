// Package debian sees to the programs that come from Debian's packages.
package debian

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/run"
)

// Package is a Debian package, known to be there by one of its programs: a file's path or a name looked up in PATH.
type Package struct{ Name, Program string }

// Node lists what a node is made of, beside Kubernetes itself.
var Node = []Package{
	{"containerd", "containerd"},
	{"containernetworking-plugins", "/usr/lib/cni/ptp"},
	{"etcd-server", "etcd"},
	{"iproute2", "ip"},
	{"iptables", "iptables"},
	{"runc", "runc"},
	{"util-linux", "nsenter"},
}

// Images lists what the base image is made with.
var Images = []Package{{"mmdebstrap", "mmdebstrap"}}

// Missing returns the names of the packages whose program isn't there.
func Missing(packages []Package) []string {
	var names []string
	for _, p := range packages {
		if _, err := exec.LookPath(p.Program); err != nil {
			names = append(names, p.Name)
		}
	}
	return names
}

// Installable tells why packages can't be installed here, or nil.
func Installable() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("this user is not root")
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("there is no apt-get")
	}
	return nil
}

// Install installs the packages by apt-get. The package lists are fetched only when apt can't do without.
func Install(ctx context.Context, names []string) error {
	install := append([]string{"install", "--yes", "--no-install-recommends"}, names...)
	if apt(ctx, install...) == nil {
		return nil
	}
	if err := apt(ctx, "update"); err != nil {
		return fmt.Errorf("installing %s: %w", strings.Join(names, ", "), err)
	}
	if err := apt(ctx, install...); err != nil {
		return fmt.Errorf("installing %s: %w", strings.Join(names, ", "), err)
	}
	return nil
}

func apt(ctx context.Context, args ...string) error {
	return run.Program{
		Args: append([]string{"apt-get"}, args...),
		Env:  run.Downloading("DEBIAN_FRONTEND=noninteractive"),
	}.Quiet(ctx)
}
