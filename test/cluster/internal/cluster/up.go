package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/debian"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/image"
)

// startLimit is how long Up waits for the cluster once all programs are there.
const startLimit = 90 * time.Second

// Up brings the cluster up: each part that is missing or has crashed is made or started, the others stay. On one
// that runs it changes nothing.
func (c *Cluster) Up(ctx context.Context) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if c.open() == nil && c.check(ctx) == nil {
		c.Say.Say("the cluster is up already: KUBECONFIG=%s", c.Kubeconfig())
		return nil
	}
	if err := c.install(ctx, debian.Node); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("only root may make namespaces and mounts: run it as root")
	}
	programs, err := c.Sources.Build(ctx, c.Cache, c.Say)
	if err != nil {
		return err
	}
	pause, err := image.Pause(ctx, c.Module, c.Cache)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := c.Say.Step("preparing the folder and the network", func() error { return c.prepare(ctx, programs) }); err != nil {
		return err
	}
	return c.start(ctx, pause)
}

// install sees to packages, or says exactly what is missing.
func (c *Cluster) install(ctx context.Context, packages []debian.Package) error {
	names := debian.Missing(packages)
	if len(names) == 0 {
		return nil
	}
	if err := debian.Installable(); err != nil {
		return fmt.Errorf("missing Debian packages: %s (not installed, since %w)", strings.Join(names, " "), err)
	}
	return c.Say.Step("installing Debian packages: "+strings.Join(names, " "), func() error { return debian.Install(ctx, names) })
}

// prepare makes all that the daemons need. The lock lasts until the routes stand, so that two clusters which come up
// at once don't choose the same addresses.
func (c *Cluster) prepare(ctx context.Context, programs string) error {
	unlock, err := c.Cache.Lock(ctx, "addresses")
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.claim(); err != nil {
		return err
	}
	if err := c.clear(ctx); err != nil {
		return err
	}
	for _, dir := range []string{"config", "logs", "pids", "private"} {
		if err := os.MkdirAll(c.path(dir), 0o755); err != nil {
			return fmt.Errorf("making the cluster's folder: %w", err)
		}
	}
	if err := c.linkPrograms(programs); err != nil {
		return err
	}
	if err := c.writeAccess(); err != nil {
		return err
	}
	if err := c.writeConfigs(); err != nil {
		return err
	}
	if err := c.cgroup().Create(); err != nil {
		return err
	}
	return c.namespaces().Up(ctx)
}

// clear removes what stands in the way of a start: the records of daemons that have ended and, if the namespaces are
// gone, whatever still runs in them.
func (c *Cluster) clear(ctx context.Context) error {
	if !c.namespaces().Whole() {
		return errors.Join(c.stopAll(ctx), c.cgroup().Kill(ctx))
	}
	for _, name := range c.Names() {
		if !c.daemons().Crashed(name) {
			continue
		}
		if err := c.daemons().Stop(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) linkPrograms(programs string) error {
	bin := c.path("bin")
	if target, err := os.Readlink(bin); err == nil && target == programs {
		return nil
	}
	if err := os.RemoveAll(bin); err != nil {
		return fmt.Errorf("linking the programs: %w", err)
	}
	if err := os.Symlink(programs, bin); err != nil {
		return fmt.Errorf("linking the programs: %w", err)
	}
	return nil
}

// stage is a part of the start: daemons, and what the next stage needs of them.
type stage struct {
	daemons []string
	what    string
	until   func(context.Context) error
}

// start starts the daemons, each once those it needs answer.
func (c *Cluster) start(ctx context.Context, pause v1.Image) error {
	importPause := func(ctx context.Context) error { return c.importImage(ctx, pause, image.PauseName) }
	stages := []stage{
		{[]string{"etcd", "containerd", "kube-apiserver"}, "waiting for containerd to answer", c.containerdAnswers},
		{nil, "importing the pause image", importPause},
		{nil, "waiting for the API server to be ready", c.apiReady},
		{[]string{"kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy"}, "waiting for the node to be ready", c.nodeReady},
		{nil, "waiting for the namespace default to take pods", c.namespaceReady},
	}
	var watched []string
	for _, s := range stages {
		watched = append(watched, s.daemons...)
		if err := c.reach(ctx, s, watched); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	c.Say.Say("ready: KUBECONFIG=%s", c.Kubeconfig())
	return nil
}

// reach starts the daemons of a stage and waits until it is reached, or one of those watched ends.
func (c *Cluster) reach(ctx context.Context, s stage, watched []string) error {
	for _, name := range s.daemons {
		one, err := c.component(name)
		if err != nil {
			return err
		}
		if err := c.startComponent(one); err != nil {
			return err
		}
	}
	return c.Say.Step(s.what, func() error { return c.poll(ctx, s.until, watched...) })
}
