//go:build unix

package postgrestest

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// archive is a package with these files.
func archive(t *testing.T, files map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "package.tgz")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	zip := gzip.NewWriter(file)
	entries := tar.NewWriter(zip)
	for name, content := range files {
		err = errors.Join(err, entries.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(content))}))
		_, wrote := entries.Write([]byte(content))
		err = errors.Join(err, wrote)
	}
	if err = errors.Join(err, entries.Close(), zip.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestUnpackingRestoresLinks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "programs")
	err := unpack(archive(t, map[string]string{
		"package/native/bin/postgres":     "program",
		"package/native/lib/libx.so.1.2":  "library",
		"package/native/lib/libx.a":       "for compilers",
		"package/native/pg-symlinks.json": `[{"source":"native/lib/libx.so.1.2","target":"native/lib/libx.so.1"}]`,
		"package/scripts/hydrate.js":      "not ours",
	}), dir)
	if err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "mirror")
	if err := mirror(dir, again); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"lib/libx.so.1": "library", "bin/postgres": "program", "lib/libx.a": "", "scripts": ""} {
		if got, _ := os.ReadFile(filepath.Join(again, path)); string(got) != want {
			t.Errorf("%s holds %q, want %q", path, got, want)
		}
	}
	if info, err := os.Stat(filepath.Join(again, "bin/postgres")); err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("the program cannot be run: %v, %v", info, err)
	}
}

func TestAPackageCannotWriteOutsideItsFolder(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"a link": {"package/native/lib/a": "x", "package/native/pg-symlinks.json": `[{"source":"native/lib/a","target":"native/../../a"}]`},
		"a file": {"package/native/../../a": "x", "package/native/pg-symlinks.json": `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			err := unpack(archive(t, files), filepath.Join(root, "one", "programs"))
			if _, there := os.Stat(filepath.Join(root, "one", "a")); there == nil {
				t.Errorf("it wrote beside its folder (%v)", err)
			}
			if _, there := os.Stat(filepath.Join(root, "a")); there == nil {
				t.Errorf("it wrote above its folder (%v)", err)
			}
		})
	}
}

// What cannot be fetched is missing, and leaves nothing in the cache that would pass for it.
func TestWhatCannotBeFetchedIsMissing(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	t.Setenv("PATH", "")
	said := ""
	_, err := Fetch(t.Context(), "18", func(what string) { said = what })
	if !errors.Is(err, ErrMissing) || !strings.Contains(said, "linux") && !strings.Contains(said, "darwin") {
		t.Errorf("%v, after saying %q; want what is missing, by its package", err, said)
	}
	left, _ := filepath.Glob(filepath.Join(cache, "*", "*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if _, err := Fetch(t.Context(), "9.6", func(string) {}); err == nil || errors.Is(err, ErrMissing) || !strings.Contains(err.Error(), "16, 16.5, 17, 18") {
		t.Errorf("a version that nobody packs: %v, want those that there are", err)
	}
}
