package daemon

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCreateInEachHierarchyOfVersion1(t *testing.T) {
	root := t.TempDir()
	write(t, root, "pids/cgroup.procs", "")
	write(t, root, "cpuset/cgroup.procs", "")
	write(t, root, "cpuset/cpuset.cpus", "0-1\n")
	write(t, root, "cpuset/cpuset.mems", "0\n")
	c := Cgroup{Name: "one", Root: root}
	if err := c.Create(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "pids/one/daemons")); err != nil {
		t.Error(err)
	}
	if got := read(t, root, "cpuset/one/cpuset.cpus"); got != "0-1\n" {
		t.Errorf("the group has processors %q: nothing could run in it", got)
	}
}

func TestCreateInVersion2(t *testing.T) {
	root := t.TempDir()
	write(t, root, "cgroup.controllers", "cpu memory\n")
	write(t, root, "one/cgroup.controllers", "cpu memory\n") // the kernel makes it with the group
	c := Cgroup{Name: "one", Root: root}
	if err := c.Create(); err != nil {
		t.Fatal(err)
	}
	for _, group := range []string{".", "one"} {
		if got := read(t, root, group+"/cgroup.subtree_control"); got != "+memory" {
			t.Errorf("group %s hands on %q last, not the memory controller", group, got)
		}
	}
	if diff := cmp.Diff(filepath.Join(root, "one/daemons/cgroup.procs"), c.Join(nil)[3]); diff != "" {
		t.Errorf("daemons join (-want +got):\n%s", diff)
	}
}

// The kernel takes a process off the list when it ends; the test does it in the kernel's place.
func TestKillEndsWhatTheGroupLists(t *testing.T) {
	root := t.TempDir()
	c := Cgroup{Name: "one", Root: root}
	inside, outside := exec.Command("sleep", "600"), exec.Command("sleep", "600")
	for _, cmd := range []*exec.Cmd{inside, outside} {
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
	}
	list := "pids/one/pod/container/cgroup.procs"
	write(t, root, list, strconv.Itoa(inside.Process.Pid)+"\n")
	go func() {
		_ = inside.Wait()
		_ = os.WriteFile(filepath.Join(root, list), nil, 0o644)
	}()
	if err := c.Kill(context.Background()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the process in the group to be gone", func() bool {
		r, err := recordOf(inside.Process.Pid)
		return err != nil || !r.Alive()
	})
	if r, err := recordOf(outside.Process.Pid); err != nil || !r.Alive() {
		t.Errorf("a process outside of the group was hit: %v", err)
	}
}

func TestRemoveTree(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "pids/one/pod/container"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, root, "pids/cgroup.procs", "")
	c := Cgroup{Name: "one", Root: root}
	for range 2 { // the second time there is nothing to do
		if err := c.Remove(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "pids/one")); !os.IsNotExist(err) {
		t.Errorf("the group is still there: %v", err)
	}
}

func write(t *testing.T, root, file, content string) {
	t.Helper()
	path := filepath.Join(root, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, root, file string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
