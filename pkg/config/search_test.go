//go:build unix

package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

const nobody = 65534

// A file that is found is obeyed only where nobody else can have written it; one that the operator names is, and what is odd about it is
// told.
func TestAFileOfOthersIsNotFound(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(dir string) error
		want   string // "" is used
		asRoot bool
	}{
		{"of the user alone", func(string) error { return nil }, "", false},
		{"that others may read", func(dir string) error { return os.Chmod(filepath.Join(dir, FileName), 0o444) }, "", false},
		{"that all may write", func(dir string) error { return os.Chmod(filepath.Join(dir, FileName), 0o646) }, "others may write to DIR/" + FileName + " (mode 0646)", false},
		{"that the group may write", func(dir string) error { return os.Chmod(filepath.Join(dir, FileName), 0o664) }, "others may write to DIR/" + FileName, false},
		{"in a folder of all", func(dir string) error { return os.Chmod(dir, 0o777) }, "others may write to DIR (mode 0777)", false},
		{"in a folder of the group", func(dir string) error { return os.Chmod(dir, 0o775) }, "others may write to DIR (mode 0775)", false},
		{"in a folder like /tmp", func(dir string) error { return os.Chmod(dir, 0o777|os.ModeSticky) }, "others may write to DIR (mode 0777)", false},
		{"of somebody else", func(dir string) error { return os.Chown(filepath.Join(dir, FileName), nobody, nobody) }, "DIR/" + FileName + " belongs to ", true},
		{"in a folder of somebody else", func(dir string) error { return os.Chown(dir, nobody, nobody) }, "DIR belongs to ", true},
		{"behind a link that leads to a folder of all", func(dir string) error {
			other := filepath.Join(dir, "other")
			return errors.Join(os.Mkdir(other, 0o700), os.Rename(filepath.Join(dir, FileName), filepath.Join(other, "x.yaml")),
				os.Symlink("other/x.yaml", filepath.Join(dir, FileName)), os.Chmod(other, 0o777))
		}, "others may write to DIR/other (mode 0777)", false},
		{"behind a link that leads to a folder of one's own", func(dir string) error {
			other := filepath.Join(dir, "other")
			return errors.Join(os.Mkdir(other, 0o700), os.Rename(filepath.Join(dir, FileName), filepath.Join(other, "x.yaml")),
				os.Symlink("other/x.yaml", filepath.Join(dir, FileName)))
		}, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.asRoot && os.Geteuid() != 0 {
				t.Skip("only root gives files away")
			}
			root := tree(t, map[string]string{"home/work/" + FileName: file("found")})
			dir := filepath.Join(root, "home/work")
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			for _, from := range []string{dir, filepath.Join(dir, "deep")} {
				got, _, err := Loader{Dir: from, Home: filepath.Join(root, "home"), ConfigMap: configMap("map")}.Load(t.Context())
				switch want := strings.ReplaceAll(c.want, "DIR", dir); {
				case want == "" && (err != nil || got.Targets[0].Name != "found"):
					t.Errorf("%v, %v", got.Names(), err)
				case want != "" && (!errors.Is(err, rotation.ErrRefused) || !strings.Contains(err.Error(), want) || !strings.Contains(rotation.Hint(err), "--config")):
					t.Errorf("%v, %v (%s); want %s", got.Names(), err, rotation.Hint(err), want)
				}
			}
			got, source, err := Loader{Path: filepath.Join(dir, FileName)}.Load(t.Context())
			if err != nil || got.Targets[0].Name != "found" || !source.Named {
				t.Errorf("named: %v, %v", got.Names(), err)
			}
			if open := strings.Contains(c.name, "may write"); strings.HasSuffix(source.Told(), ", and others may write it") != open {
				t.Errorf("it is told to be %s", source.Told())
			}
		})
	}
}

// The search ends at the root of a repository, a worktree of one too, and does not leave the file system it began on.
func TestTheSearchEnds(t *testing.T) {
	for name, c := range map[string]struct {
		mark func(dir string) error
		want string
	}{
		"nowhere":         {func(string) error { return nil }, "above"},
		"at a repository": {func(dir string) error { return os.Mkdir(filepath.Join(dir, ".git"), 0o700) }, "map"},
		"at a worktree":   {func(dir string) error { return os.WriteFile(filepath.Join(dir, ".git"), []byte("gitdir: x\n"), 0o600) }, "map"},
		"in the repository": {func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, ".git"), 0o700), os.WriteFile(filepath.Join(dir, FileName), []byte(file("inside")), 0o600))
		}, "inside"},
		"at home, behind links": {func(dir string) error { return os.Symlink(dir, filepath.Join(dir, "../../link")) }, "map"},
	} {
		t.Run(name, func(t *testing.T) {
			root := tree(t, map[string]string{"home/" + FileName: file("above")})
			work := filepath.Join(root, "home/work")
			if err := c.mark(work); err != nil {
				t.Fatal(err)
			}
			l := Loader{Dir: filepath.Join(work, "deep"), Home: filepath.Join(root, "home"), ConfigMap: configMap("map")}
			if name == "at home, behind links" {
				l.Home, l.Dir = filepath.Join(root, "link"), filepath.Join(root, "link/deep")
			}
			got, _, err := l.Load(context.Background())
			if err != nil || got.Targets[0].Name != c.want {
				t.Errorf("found %v, %v; want %s", got.Names(), err, c.want)
			}
		})
	}
	if dir := t.TempDir(); !sameDevice(dir, filepath.Join(dir, "..")) || sameDevice(dir, "/dev/fd") || sameDevice(dir, filepath.Join(dir, "none")) {
		t.Error("one file system cannot be told from another")
	}
}
