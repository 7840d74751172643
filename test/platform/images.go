package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kubectl-rotate/kubectl-rotate/test/platform/deploy"
)

func newImages() *cobra.Command {
	backendOnly, cluster := false, ""
	c := &cobra.Command{
		Use:   "images",
		Short: "Build the backend and hand the platform's images to the test cluster",
		Long: "Build the backend and hand the platform's images to the test cluster (test/cluster), which has to be up.\n" +
			"Run it in the checkout.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return images(c.Context(), cluster, backendOnly)
		},
	}
	c.Flags().BoolVar(&backendOnly, "backend-only", false, "leave the base image as it is")
	c.Flags().StringVar(&cluster, "cluster", "", "the test cluster's folder; default: .cluster in the checkout")
	return c
}

func images(ctx context.Context, cluster string, backendOnly bool) error {
	if cluster != "" {
		var err error
		if cluster, err = filepath.Abs(cluster); err != nil { // the command below runs in another folder
			return err
		}
	}
	dir, err := os.MkdirTemp("", "demo-backend-")
	if err != nil {
		return fmt.Errorf("making a folder for the backend: %w", err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "backend")
	build := []string{"build", "-trimpath", "-ldflags=-s -w", "-o", binary, "./test/platform/backend"}
	if err := goTool(ctx, build...); err != nil {
		return fmt.Errorf("building the backend: %w", err)
	}
	if !backendOnly {
		if err := goTool(ctx, "run", "-C", "test/cluster", ".", "--dir", cluster, "image"); err != nil {
			return fmt.Errorf("making the base image: %w", err)
		}
	}
	err = goTool(ctx, "run", "-C", "test/cluster", ".", "--dir", cluster, "image", "--name", deploy.BackendImage,
		"--file", binary+":/backend", "--entrypoint", "/backend", "--user", "65532:65532")
	if err != nil {
		return fmt.Errorf("making the image of the backend: %w", err)
	}
	return nil
}

// goTool runs the go command as its user would see it.
func goTool(ctx context.Context, args ...string) error {
	c := exec.CommandContext(ctx, "go", args...)
	c.Env = append(os.Environ(), "CGO_ENABLED=0")
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	return c.Run()
}
