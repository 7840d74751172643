// Package image puts container images together, with no registry and no container runtime.
package image

import (
	"fmt"
	"runtime"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Spec is an image: files on top of a base, and how they are run.
type Spec struct {
	Base       v1.Image // nil means an empty file system
	Files      []File
	Entrypoint []string
	Env        []string // added to the base's; PATH is always set
	User       string   // UID or UID:GID; empty means root
}

const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Build puts the image together. The same content gives the same digest, wherever and whenever it is built.
func (s Spec) Build() (v1.Image, error) {
	img := s.Base
	if img == nil {
		img = mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	}
	if len(s.Files) > 0 {
		layer, err := newLayer(s.Files)
		if err != nil {
			return nil, err
		}
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			return nil, fmt.Errorf("adding files to the image: %w", err)
		}
	}
	return s.configure(img)
}

func (s Spec) configure(img v1.Image) (v1.Image, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, fmt.Errorf("configuring the image: %w", err)
	}
	config = config.DeepCopy()
	// A runtime ignores an image that doesn't say which machines it is for.
	config.OS, config.Architecture = "linux", runtime.GOARCH
	if len(config.Config.Env) == 0 {
		config.Config.Env = []string{searchPath}
	}
	config.Config.Env = append(config.Config.Env, s.Env...)
	if len(s.Entrypoint) > 0 {
		config.Config.Entrypoint, config.Config.Cmd = s.Entrypoint, nil
	}
	if s.User != "" {
		config.Config.User = s.User
	}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		return nil, fmt.Errorf("configuring the image: %w", err)
	}
	return img, nil
}
