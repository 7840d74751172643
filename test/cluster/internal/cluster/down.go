package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
)

// Down ends the cluster and removes its folder with all data. It works on what is left of one, and does nothing
// where there is none.
func (c *Cluster) Down(ctx context.Context) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.open(); errors.Is(err, ErrNone) {
		c.Say.Say("there is no cluster in %s", c.Dir)
		return nil
	} else if err != nil {
		return err
	}
	steps := []struct {
		what string
		do   func() error
	}{
		{"ending the daemons", func() error { return c.stopAll(ctx) }},
		{"ending the pods", func() error { return c.cgroup().Kill(ctx) }},
		{"removing the network and the mounts", func() error { return c.namespaces().Down(ctx) }},
		{"removing the control group", func() error { return c.cgroup().Remove(ctx) }},
		{"removing " + c.Dir, func() error { return c.removeFolder() }},
	}
	for _, s := range steps {
		if err := c.Say.Step(s.what, s.do); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// stopAll kills the daemons: what a graceful end would save is about to be removed.
func (c *Cluster) stopAll(ctx context.Context) error {
	names := c.Names()
	slices.Reverse(names)
	for _, name := range names {
		if err := c.daemons().Stop(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// removeFolder removes the plan last: as long as anything is there, the folder is known to be a cluster's.
func (c *Cluster) removeFolder() error {
	entries, err := os.ReadDir(c.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if path := c.path(e.Name()); path != c.planFile() {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(c.Dir)
}
