package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestParseFile(t *testing.T) {
	got, err := ParseFile("/tmp/backend:/usr/bin/../bin/backend")
	if want := (File{Host: "/tmp/backend", Container: "/usr/bin/backend"}); err != nil || got != want {
		t.Errorf("got %v, %v", got, err)
	}
	for _, s := range []string{"", "/tmp/backend", ":/backend", "/tmp/backend:relative", "/tmp/backend:"} {
		if _, err := ParseFile(s); err == nil {
			t.Errorf("%q was understood", s)
		}
	}
}

func TestBuild(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "bin", "run"), 0o755)
	writeFile(t, filepath.Join(dir, "bin", "conf", "a.yaml"), 0o640)
	spec := Spec{
		Files:      []File{{Host: filepath.Join(dir, "bin"), Container: "/opt/app"}},
		Entrypoint: []string{"/opt/app/run", "serve"},
		Env:        []string{"MODE=test"},
		User:       "65532:65532",
	}
	img := build(t, spec)
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if config.OS != "linux" || config.Architecture == "" {
		t.Errorf("the image is for %q on %q: a runtime would ignore it", config.OS, config.Architecture)
	}
	want := v1.Config{Entrypoint: spec.Entrypoint, Env: []string{searchPath, "MODE=test"}, User: "65532:65532"}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	files := map[string]int64{"opt/": 0o755, "opt/app/": 0o755, "opt/app/conf/": 0o755, "opt/app/conf/a.yaml": 0o640, "opt/app/run": 0o755}
	if diff := cmp.Diff(files, layerModes(t, img)); diff != "" {
		t.Errorf("files and modes (-want +got):\n%s", diff)
	}
}

func TestBuildIsReproducible(t *testing.T) {
	var digests []string
	for range 2 {
		file := filepath.Join(t.TempDir(), "run") // another folder and another time of change
		writeFile(t, file, 0o755)
		digests = append(digests, digest(t, build(t, Spec{Files: []File{{Host: file, Container: "/run"}}})))
	}
	if digests[0] != digests[1] {
		t.Errorf("the same content has the digests %v", digests)
	}
}

func TestBuildOnABaseAddsToIt(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run")
	writeFile(t, file, 0o755)
	base := build(t, Spec{Files: []File{{Host: file, Container: "/base"}}, Env: []string{"BASE=1"}, Entrypoint: []string{"/base"}})
	img := build(t, Spec{Base: base, Files: []File{{Host: file, Container: "/more"}}, Env: []string{"MORE=1"}})
	layers, err := img.Layers()
	if err != nil || len(layers) != 2 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{Entrypoint: []string{"/base"}, Env: []string{searchPath, "BASE=1", "MORE=1"}}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func TestBuildNamesTheMissingFile(t *testing.T) {
	_, err := Spec{Files: []File{{Host: "/no/such/program", Container: "/run"}}}.Build()
	if err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("got %v", err)
	}
}

func TestArchive(t *testing.T) {
	file := filepath.Join(t.TempDir(), "run")
	writeFile(t, file, 0o755)
	img := build(t, Spec{Files: []File{{Host: file, Container: "/run"}}})
	var buf bytes.Buffer
	if err := Archive(&buf, img, "example.test/a:1", "example.test/a:2"); err != nil {
		t.Fatal(err)
	}
	entries := readTar(t, &buf)
	var index v1.IndexManifest
	if err := json.Unmarshal(entries["index.json"], &index); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range index.Manifests {
		names = append(names, m.Annotations["io.containerd.image.name"])
	}
	if diff := cmp.Diff([]string{"example.test/a:1", "example.test/a:2"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	for name, data := range entries {
		sum, isBlob := strings.CutPrefix(name, "blobs/sha256/")
		if got, _, _ := v1.SHA256(bytes.NewReader(data)); isBlob && got.Hex != sum {
			t.Errorf("blob %s holds something else", name)
		}
	}
	if len(entries) != 5 { // layout, index, manifest, config, one layer
		t.Errorf("the archive has %d entries", len(entries))
	}
}

func build(t *testing.T, s Spec) v1.Image {
	t.Helper()
	img, err := s.Build()
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func digest(t *testing.T, img v1.Image) string {
	t.Helper()
	d, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return d.String()
}

func layerModes(t *testing.T, img v1.Image) map[string]int64 {
	t.Helper()
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	r, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	modes := map[string]int64{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return modes
		}
		if err != nil {
			t.Fatal(err)
		}
		modes[h.Name] = h.Mode
	}
}

func readTar(t *testing.T, r io.Reader) map[string][]byte {
	t.Helper()
	entries := map[string][]byte{}
	for tr := tar.NewReader(r); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		if entries[h.Name], err = io.ReadAll(tr); err != nil {
			t.Fatal(err)
		}
	}
}

func writeFile(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask
		t.Fatal(err)
	}
}
