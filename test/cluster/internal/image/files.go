package image

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// File is a file of the host, or a folder with all in it, and where it stands in the image.
type File struct{ Host, Container string }

// ParseFile reads HOST:CONTAINER.
func ParseFile(s string) (File, error) {
	host, container, ok := strings.Cut(s, ":")
	if !ok || host == "" || !path.IsAbs(container) {
		return File{}, fmt.Errorf("%q is not of the form HOST:/CONTAINER", s)
	}
	return File{Host: host, Container: path.Clean(container)}, nil
}

// newLayer packs the files in memory: programs and scripts, not whole systems.
func newLayer(files []File) (v1.Layer, error) {
	var buf bytes.Buffer
	w := layerWriter{tar: tar.NewWriter(&buf), dirs: map[string]bool{"/": true}}
	for _, f := range files {
		if err := w.add(f); err != nil {
			return nil, fmt.Errorf("adding %s to the image: %w", f.Host, err)
		}
	}
	if err := w.tar.Close(); err != nil {
		return nil, fmt.Errorf("packing the image's files: %w", err)
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestSpeed))
}

type layerWriter struct {
	tar  *tar.Writer
	dirs map[string]bool
}

func (w layerWriter) add(f File) error {
	return filepath.WalkDir(f.Host, func(host string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(f.Host, host)
		if err != nil {
			return err
		}
		info, err := os.Stat(host) // a link is followed: what the host calls it means nothing in the image
		if err != nil {
			return err
		}
		target := path.Join(f.Container, filepath.ToSlash(rel))
		if info.IsDir() {
			return w.parents(target)
		}
		if err := w.parents(path.Dir(target)); err != nil {
			return err
		}
		return w.file(host, target, info)
	})
}

// parents adds the folders down to dir, each once.
func (w layerWriter) parents(dir string) error {
	var missing []string
	for ; !w.dirs[dir]; dir = path.Dir(dir) {
		w.dirs[dir] = true
		missing = append(missing, dir)
	}
	slices.Reverse(missing)
	for _, d := range missing {
		h := &tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(d, "/") + "/", Mode: 0o755, ModTime: time.Unix(0, 0)}
		if err := w.tar.WriteHeader(h); err != nil {
			return err
		}
	}
	return nil
}

func (w layerWriter) file(host, target string, info fs.FileInfo) error {
	data, err := os.ReadFile(host)
	if err != nil {
		return err
	}
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: strings.TrimPrefix(target, "/"), Size: int64(len(data)),
		Mode: int64(info.Mode().Perm()), ModTime: time.Unix(0, 0),
	}
	if err := w.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err = w.tar.Write(data)
	return err
}
