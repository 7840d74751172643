package daemon

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func (c Cgroup) root() string {
	if c.Root == "" {
		return "/sys/fs/cgroup"
	}
	return c.Root
}

// unified tells version 2, one hierarchy for all controllers, from version 1, one folder for each.
func (c Cgroup) unified() bool {
	_, err := os.Stat(filepath.Join(c.root(), "cgroup.controllers"))
	return err == nil
}

// tracking is the hierarchy that the cluster's processes are found by.
func (c Cgroup) tracking() string {
	if c.unified() {
		return c.root()
	}
	return filepath.Join(c.root(), "pids")
}

// hierarchies lists the folders in which the group exists. Some of version 1 are links to others (cpu to cpu,cpuacct).
func (c Cgroup) hierarchies() []string {
	if c.unified() {
		return []string{c.root()}
	}
	var dirs []string
	entries, err := os.ReadDir(c.root())
	if err != nil {
		return nil
	}
	for _, e := range entries {
		procs := filepath.Join(c.root(), e.Name(), "cgroup.procs")
		if _, err := os.Stat(procs); err == nil && e.IsDir() {
			dirs = append(dirs, filepath.Join(c.root(), e.Name()))
		}
	}
	return dirs
}

// delegate lets the children of a version 2 group use all controllers it has itself.
func delegate(group string) error {
	has, err := os.ReadFile(filepath.Join(group, "cgroup.controllers"))
	if err != nil {
		return err
	}
	for _, controller := range strings.Fields(string(has)) {
		err := os.WriteFile(filepath.Join(group, "cgroup.subtree_control"), []byte("+"+controller), 0o644)
		if err != nil {
			return err
		}
	}
	return nil
}

func inherit(parent, child, file string) error {
	value, err := os.ReadFile(filepath.Join(parent, file))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(child, file), value, 0o644)
}
