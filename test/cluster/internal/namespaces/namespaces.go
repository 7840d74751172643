// Package namespaces encloses a cluster: its daemons live in a network and a mount namespace of their own, so that
// whatever they do to interfaces, firewall rules and mounts is gone with them.
package namespaces

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/network"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/run"
)

// Pair is a network and a mount namespace, kept alive by the files net and mnt in a folder rather than by a
// process: a cluster whose daemons have all crashed can be started again in the namespaces it had.
type Pair struct {
	Dir     string       // holds the two files; mounted on itself while they are in use
	Private string       // a folder of the cluster's, see mounts.sh
	Plan    network.Plan // the addresses of the link between host and cluster
}

//go:embed mounts.sh
var mountScript string

// Up makes the namespaces, the link with its routes, and the mounts, unless all of that is there. What is left of an
// earlier attempt, or of the time before the machine started, is cleared away first: nothing may run in it any more.
func (p Pair) Up(ctx context.Context) error {
	if p.Whole() {
		return nil
	}
	if err := p.Down(ctx); err != nil {
		return err
	}
	steps := []func(context.Context) error{
		func(context.Context) error { return p.pinFolder() },
		func(ctx context.Context) error { return p.pin(ctx, "net") },
		func(ctx context.Context) error { return p.pin(ctx, "mnt", "--propagation", "private") },
		p.link,
		p.mount,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	if err := os.WriteFile(p.marker(), nil, 0o600); err != nil {
		return fmt.Errorf("recording that the namespaces are complete: %w", err)
	}
	return nil
}

// Whole tells whether an Up came to its end and has not been undone, by Down or by a restart of the machine.
func (p Pair) Whole() bool {
	return exists(p.marker()) && mounted(p.file("net")) && mounted(p.file("mnt")) && exists(p.hostLink())
}

// pinFolder mounts the folder on itself with no propagation: the kernel refuses to keep a mount namespace on a mount
// that would carry it into itself.
func (p Pair) pinFolder() error {
	if err := os.MkdirAll(p.Dir, 0o700); err != nil {
		return fmt.Errorf("making the folder of the namespaces: %w", err)
	}
	if err := unix.Mount(p.Dir, p.Dir, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting %s on itself: %w", p.Dir, err)
	}
	if err := unix.Mount("", p.Dir, "", unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making the mount %s private: %w", p.Dir, err)
	}
	return nil
}

// pin makes one namespace and keeps it.
func (p Pair) pin(ctx context.Context, kind string, options ...string) error {
	if err := os.WriteFile(p.file(kind), nil, 0o600); err != nil {
		return fmt.Errorf("making a %s namespace: %w", kind, err)
	}
	long := map[string]string{"net": "--net=", "mnt": "--mount="}[kind]
	args := append(append([]string{"unshare", long + p.file(kind)}, options...), "true")
	if err := (run.Program{Args: args}).Quiet(ctx); err != nil {
		return fmt.Errorf("making a %s namespace: %w", kind, err)
	}
	return nil
}

// mount gives the daemons folders of their own in the places that they can't be told to leave alone.
func (p Pair) mount(ctx context.Context) error {
	script := run.Program{Args: p.Enter("sh", "-euc", mountScript, "mounts.sh", p.Private)}
	if err := script.Quiet(ctx); err != nil {
		return fmt.Errorf("mounting the cluster's own folders: %w", err)
	}
	return nil
}

// link joins the two sides. Pods and services are reached from the host through the node; out of the cluster there
// is only the host itself: a pod that dials the internet is told at once that the network is unreachable, and whoever
// dials a service that kube-proxy does not know (yet), that it is refused. Without that the packet would wait for
// somebody on the link to say that the address is his, and leave a connection behind in the tables which no rule of
// kube-proxy's is asked about any more: the next one from the same port would fail too, a minute later.
func (p Pair) link(ctx context.Context) error {
	host, node, plan := p.Plan.HostLink(), p.Plan.NodeLink(), p.Plan
	outside := fmt.Sprintf(`link add %[1]s type veth peer name %[2]s netns "%[3]s"
address add %[4]s/30 dev %[1]s
link set %[1]s up
`, host, node, p.file("net"), plan.Host())
	inside := fmt.Sprintf(`link set lo up
address add %[2]s/30 dev %[1]s
link set %[1]s up
route add %[3]s dev %[1]s
`, node, plan.Node(), plan.Services())
	routes := fmt.Sprintf(`route add %[3]s via %[2]s dev %[1]s
route add %[4]s via %[2]s dev %[1]s
`, host, plan.Node(), plan.Pods(), plan.Services())
	refuse := fmt.Sprintf(`*filter
-A FORWARD -d %[1]s -p tcp -j REJECT --reject-with tcp-reset
-A OUTPUT -d %[1]s -p tcp -j REJECT --reject-with tcp-reset
COMMIT
`, plan.Services())
	steps := []run.Program{
		{Args: []string{"ip", "-batch", "-"}, Stdin: strings.NewReader(outside)},
		{Args: p.Enter("ip", "-batch", "-"), Stdin: strings.NewReader(inside)},
		{Args: []string{"ip", "-batch", "-"}, Stdin: strings.NewReader(routes)},
		{Args: p.Enter("tee", "/proc/sys/net/ipv4/ip_forward"), Stdin: strings.NewReader("1")},
		{Args: p.Enter("iptables-restore", "--noflush"), Stdin: strings.NewReader(refuse)},
	}
	for _, s := range steps {
		if err := s.Quiet(ctx); err != nil {
			return fmt.Errorf("linking the cluster's network to the host's: %w", err)
		}
	}
	return nil
}

func (p Pair) unlink(ctx context.Context) error {
	if !exists(p.hostLink()) {
		return nil
	}
	return run.Program{Args: []string{"ip", "link", "delete", p.Plan.HostLink()}}.Quiet(ctx)
}

// Enter prefixes a command line so that it runs inside. The program takes nsenter's place, and so has the process
// number that was started. (ip netns exec would hide the control groups from it, and the kubelet then fails.)
func (p Pair) Enter(args ...string) []string {
	return append([]string{"nsenter", "--net=" + p.file("net"), "--mount=" + p.file("mnt"), "--"}, args...)
}

// Down removes whatever is there. The namespaces themselves end with their last process.
func (p Pair) Down(ctx context.Context) error {
	if err := os.Remove(p.marker()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the namespaces: %w", err)
	}
	return errors.Join(p.unlink(ctx), unmount(p.file("net")), unmount(p.file("mnt")), unmount(p.Dir))
}

func (p Pair) file(kind string) string { return filepath.Join(p.Dir, kind) }

func (p Pair) marker() string { return p.file("complete") }

func (p Pair) hostLink() string { return "/sys/class/net/" + p.Plan.HostLink() }

func unmount(path string) error {
	for mounted(path) {
		if err := unix.Unmount(path, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmounting %s: %w", path, err)
		}
	}
	return nil
}

func mounted(path string) bool {
	table, err := os.ReadFile("/proc/self/mountinfo")
	return err == nil && mountPoints(string(table))[path]
}

// mountPoints reads the fifth column of mountinfo, where a space stands as \040.
func mountPoints(table string) map[string]bool {
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	points := map[string]bool{}
	for line := range strings.Lines(table) {
		if f := strings.Fields(line); len(f) > 4 {
			points[unescape.Replace(f[4])] = true
		}
	}
	return points
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
