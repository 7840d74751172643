package image

import (
	"context"
	"fmt"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/cache"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/run"
)

// PauseName is the image that containerd starts each pod with.
const PauseName = "kubectl-rotate.test/pause:dev"

// Pause builds the pause image from the program in this module.
func Pause(ctx context.Context, module string, c *cache.Folder) (v1.Image, error) {
	source := filepath.Join(module, "pause")
	sum, err := cache.FileSum(filepath.Join(source, "main.go"))
	if err != nil {
		return nil, fmt.Errorf("building the pause image: %w", err)
	}
	program, err := c.Get(ctx, "pause-"+cache.Key(sum), func(temp string) error {
		return run.Program{
			Args: []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", temp, "."},
			Dir:  source,
			Env:  run.Downloading("CGO_ENABLED=0", "GOWORK=off", "GOFLAGS="),
		}.Quiet(ctx)
	})
	if err != nil {
		return nil, fmt.Errorf("building the pause image: %w", err)
	}
	return Spec{
		Files:      []File{{Host: program, Container: "/pause"}},
		Entrypoint: []string{"/pause"},
	}.Build()
}
