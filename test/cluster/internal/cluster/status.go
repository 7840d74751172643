package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
)

// Status writes what runs, and returns an error that tells what keeps the cluster from being whole.
func (c *Cluster) Status(ctx context.Context, w io.Writer) error {
	if err := c.open(); err != nil {
		return err
	}
	for _, name := range c.Names() {
		state := "stopped"
		if c.daemons().Alive(name) {
			state = "running"
		}
		fmt.Fprintf(w, "%-24s %s\n", name, state)
	}
	fmt.Fprintf(w, "%-24s %s\n%-24s %s\n", "server", c.server(), "kubeconfig", c.Kubeconfig())
	return c.check(ctx)
}

// WriteLog copies the log of one component.
func (c *Cluster) WriteLog(w io.Writer, name string) error {
	if err := c.open(); err != nil {
		return err
	}
	if _, err := c.component(name); err != nil {
		return err
	}
	f, err := os.Open(c.daemons().Log(name))
	if err != nil {
		return fmt.Errorf("reading the log of %s: %w", name, err)
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}
