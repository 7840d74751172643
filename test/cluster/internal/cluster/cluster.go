// Package cluster runs a Kubernetes of one node, from its programs and Debian's, in one folder.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/binaries"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/cache"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/daemon"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/namespaces"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/network"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/progress"
)

// nodeName is the node's name in Kubernetes.
const nodeName = "node-0"

// Cluster is one cluster, which may run or not, in whole or in part: all that is known of it is read from its folder.
type Cluster struct {
	Dir     string          // absolute; holds everything, and is removed by Down
	Module  string          // the folder of this module's source
	Cache   *cache.Folder   // programs and images
	Say     progress.Lines  // what is going on
	Sources binaries.Source // the module that pins the programs of Kubernetes

	plan network.Plan
}

// ErrNone says that there is no cluster in the folder.
var ErrNone = errors.New("there is no cluster")

func (c *Cluster) path(elem ...string) string {
	return filepath.Join(append([]string{c.Dir}, elem...)...)
}

// Kubeconfig is the file with the contexts admin and restricted.
func (c *Cluster) Kubeconfig() string { return c.path("kubeconfig") }

func (c *Cluster) daemons() daemon.Set {
	return daemon.Set{Records: c.path("pids"), Logs: c.path("logs"), Cgroup: c.cgroup()}
}

func (c *Cluster) cgroup() daemon.Cgroup {
	return daemon.Cgroup{Name: "kubectl-rotate-" + c.plan.ID}
}

func (c *Cluster) namespaces() namespaces.Pair {
	return namespaces.Pair{Dir: c.path("ns"), Private: c.path("private"), Plan: c.plan}
}

// open reads the plan of the cluster in the folder.
func (c *Cluster) open() error {
	plan, err := loadPlan(c.planFile())
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w in %s", ErrNone, c.Dir)
	}
	c.plan = plan
	return err
}

// lock keeps two commands from changing the same cluster at once.
func (c *Cluster) lock(ctx context.Context) (unlock func(), err error) {
	return c.Cache.Lock(ctx, "cluster-"+cache.Key([]byte(c.Dir)))
}
