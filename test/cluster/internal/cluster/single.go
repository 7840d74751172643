package cluster

import (
	"context"
	"fmt"
)

// Stop ends one component at once, as a crash would; Start or Up bring it back.
func (c *Cluster) Stop(ctx context.Context, name string) error {
	return c.change(ctx, name, func(one component) error {
		return c.Say.Step("stopping "+name, func() error { return c.daemons().Stop(ctx, one.name) })
	})
}

// Start starts one component that was stopped or has crashed, and waits until it answers.
func (c *Cluster) Start(ctx context.Context, name string) error {
	return c.change(ctx, name, func(one component) error {
		ctx, cancel := context.WithTimeout(ctx, startLimit)
		defer cancel()
		return c.Say.Step("starting "+name, func() error { return c.startAndWait(ctx, one) })
	})
}

func (c *Cluster) startAndWait(ctx context.Context, one component) error {
	if err := c.startComponent(one); err != nil || one.ready == nil {
		return err
	}
	return c.poll(ctx, one.ready, one.name)
}

func (c *Cluster) change(ctx context.Context, name string, do func(component) error) error {
	unlock, err := c.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := c.open(); err != nil {
		return err
	}
	one, err := c.component(name)
	if err != nil {
		return err
	}
	if !c.namespaces().Whole() {
		return fmt.Errorf("the cluster in %s is not up", c.Dir)
	}
	return do(one)
}
