package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/network"
)

// planFile also marks the folder as a cluster's: nothing without it is ever removed.
func (c *Cluster) planFile() string { return c.path("network.json") }

// claim opens the cluster's plan, or makes one with addresses that are free now. The lock is held until the caller
// has set up the routes, which show to the next one that they are taken.
func (c *Cluster) claim() error {
	if err := c.open(); !errors.Is(err, ErrNone) {
		return err
	}
	if err := emptyOrAbsent(c.Dir); err != nil {
		return err
	}
	taken, err := network.Taken()
	if err != nil {
		return err
	}
	if c.plan, err = network.NewPlan(c.Dir, taken); err != nil {
		return err
	}
	return savePlan(c.planFile(), c.plan)
}

func emptyOrAbsent(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making the cluster's folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("looking into the cluster's folder: %w", err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("the folder %s holds other things, such as %s", dir, entries[0].Name())
	}
	return nil
}

func loadPlan(file string) (network.Plan, error) {
	var p network.Plan
	data, err := os.ReadFile(file)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("reading %s: %w", file, err)
	}
	return p, nil
}

func savePlan(file string, p network.Plan) error {
	data, err := json.Marshal(p)
	if err == nil {
		err = writeWhole(file, append(data, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("recording the cluster's addresses: %w", err)
	}
	return nil
}

// writeWhole puts a file in place with all its content or not at all: its presence says that it is complete.
func writeWhole(file string, data []byte, mode os.FileMode) error {
	temp := file + ".new"
	if err := os.WriteFile(temp, data, mode); err != nil {
		return err
	}
	return os.Rename(temp, file)
}
