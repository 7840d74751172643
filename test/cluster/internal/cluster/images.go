package cluster

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/debian"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/image"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/run"
)

// TakesImages returns an error unless the cluster is up far enough for Import.
func (c *Cluster) TakesImages(ctx context.Context) error {
	if err := c.open(); err != nil {
		return err
	}
	if err := c.containerdAnswers(ctx); err != nil {
		return fmt.Errorf("the cluster in %s is not up: %w", c.Dir, err)
	}
	return nil
}

// Import gives an image to the cluster under each of the names, unless it is there already.
func (c *Cluster) Import(ctx context.Context, img v1.Image, names ...string) error {
	if err := c.TakesImages(ctx); err != nil {
		return err
	}
	return c.Say.Step("importing "+strings.Join(names, " and "), func() error { return c.importImage(ctx, img, names...) })
}

// ImportFile gives an image to the cluster from a file, as docker save and others write it.
func (c *Cluster) ImportFile(ctx context.Context, file string) error {
	if err := c.TakesImages(ctx); err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("importing an image: %w", err)
	}
	defer f.Close()
	return c.Say.Step("importing "+file, func() error {
		_, err := c.ctr(ctx, f, "images", "import", "-")
		return err
	})
}

// Base returns the base image, made at the first call on a machine.
func (c *Cluster) Base(ctx context.Context) (image.Base, error) {
	return image.PlatformBase(ctx, c.Cache, c.Say, func() error { return c.install(ctx, debian.Images) })
}

func (c *Cluster) importImage(ctx context.Context, img v1.Image, names ...string) error {
	digest, err := img.Digest()
	if err != nil {
		return fmt.Errorf("importing %s: %w", names[0], err)
	}
	list, err := c.ctr(ctx, nil, "images", "list")
	if err != nil {
		return err
	}
	if hasImages(list, digest.String(), names) {
		return nil
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(image.Archive(w, img, names...)) }()
	_, err = c.ctr(ctx, r, "images", "import", "-")
	r.Close()
	return err
}

// hasImages reads the list of images: lines of name, media type, digest, ….
func hasImages(list, digest string, names []string) bool {
	found := map[string]string{}
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) > 2 {
			found[f[0]] = f[2]
		}
	}
	for _, n := range names {
		if found[n] != digest {
			return false
		}
	}
	return true
}

// ctr runs containerd's own client, on the images and containers of Kubernetes.
func (c *Cluster) ctr(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	args = append([]string{"ctr", "--namespace", "k8s.io"}, args...)
	out, err := run.Program{Args: c.namespaces().Enter(args...), Stdin: stdin}.Output(ctx)
	if err != nil {
		return "", fmt.Errorf("asking containerd: %w", err)
	}
	return out, nil
}
