package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Cgroup is the control group, named from the root, in which everything of a cluster runs: its daemons in the part
// "daemons", its pods where the kubelet puts them. A process can't leave it unasked, so it finds those that no
// record names: containers, their shims, a daemon started a moment before its starter was killed.
type Cgroup struct {
	Name string
	Root string // where control groups are mounted; empty means /sys/fs/cgroup
}

// Create makes the group, in each hierarchy where there are several (version 1).
func (c Cgroup) Create() error {
	for _, h := range c.hierarchies() {
		if err := c.createIn(h); err != nil {
			return fmt.Errorf("making control group %s: %w", c.Name, err)
		}
	}
	return nil
}

func (c Cgroup) createIn(hierarchy string) error {
	group := filepath.Join(hierarchy, c.Name)
	if err := os.MkdirAll(group, 0o755); err != nil {
		return err
	}
	if c.unified() {
		return errors.Join(delegate(hierarchy), delegate(group), os.MkdirAll(filepath.Join(group, "daemons"), 0o755), weigh(group, "cpu.weight", "800"))
	}
	if err := weigh(group, "cpu.shares", "8192"); err != nil {
		return err
	}
	// A version 1 cpuset starts empty and admits no process until it has processors and memory.
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if err := inherit(hierarchy, group, file); err != nil {
			return err
		}
	}
	if hierarchy == c.tracking() {
		return os.MkdirAll(filepath.Join(group, "daemons"), 0o755)
	}
	return nil
}

// weigh gives the group eight times the processor time of one process beside it: all pods together would else get as
// much as one compiler.
func weigh(group, file, weight string) error {
	if _, err := os.Stat(filepath.Join(group, file)); err != nil {
		return nil // not the hierarchy of processors
	}
	return os.WriteFile(filepath.Join(group, file), []byte(weight), 0o644) //nolint:gosec // a kernel interface
}

// Join prefixes a command line so that it starts inside the group: entered before the program begins, there is no
// moment at which it runs outside.
func (c Cgroup) Join(args []string) []string {
	procs := filepath.Join(c.tracking(), c.Name, "daemons", "cgroup.procs")
	return append([]string{"sh", "-euc", `echo $$ >"$0"; exec "$@"`, procs}, args...)
}

// Kill ends every process in the group, and returns when none is left.
func (c Cgroup) Kill(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		left, err := c.killOnce()
		if err != nil || left == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("ending the processes of control group %s: %d are left", c.Name, left)
		case <-tick.C:
		}
	}
}

// killOnce takes each process's record first and looks for it in the group after, so a number that has meanwhile
// gone to a stranger is spared.
func (c Cgroup) killOnce() (left int, err error) {
	before, err := c.processes()
	if err != nil {
		return 0, err
	}
	records := map[int]Record{}
	for pid := range before {
		if r, err := recordOf(pid); err == nil && r.Alive() {
			records[pid] = r
		}
	}
	still, err := c.processes()
	if err != nil {
		return 0, err
	}
	for pid, r := range records {
		if still[pid] {
			err = errors.Join(err, r.Signal(syscall.SIGKILL))
		}
	}
	return len(records), err
}

func (c Cgroup) processes() (map[int]bool, error) {
	pids := map[int]bool{}
	err := filepath.WalkDir(filepath.Join(c.tracking(), c.Name), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && d.Name() != "cgroup.procs" {
			return nil
		}
		if err != nil {
			return err
		}
		list, err := os.ReadFile(path)
		if err != nil && !gone(err) {
			return err
		}
		for _, word := range strings.Fields(string(list)) {
			if pid, err := strconv.Atoi(word); err == nil {
				pids[pid] = true
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the processes of control group %s: %w", c.Name, err)
	}
	return pids, nil
}

// Remove removes the empty group. The kernel frees a group a moment after its last process, so it is tried again.
func (c Cgroup) Remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := c.removeOnce()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("removing control group %s: %w", c.Name, err)
		case <-tick.C:
		}
	}
}

func (c Cgroup) removeOnce() error {
	var problems []error
	for _, h := range c.hierarchies() {
		problems = append(problems, removeTree(filepath.Join(h, c.Name)))
	}
	return errors.Join(problems...)
}

// removeTree removes folders from the leaves up: the files of a control group can't be removed, and go with it.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if gone(err) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeTree(filepath.Join(dir, e.Name())))
		}
	}
	if err != nil {
		return err
	}
	if err := syscall.Rmdir(dir); err != nil && !gone(err) {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return nil
}

func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV)
}
