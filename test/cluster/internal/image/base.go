package image

import (
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/cache"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/progress"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/run"
)

// BaseName is the repository of the base image; its tags are dev and the key of what it was made from.
const BaseName = "kubectl-rotate.test/platform-base"

// Base is a Debian with the servers that the platform of the runbook consists of.
type Base struct {
	Key   string // what it was made from
	Image v1.Image
}

// The arguments of mmdebstrap. What is left out: a PostgreSQL server made at installation, the just-in-time compiler
// (half of the size, and never used by queries as small as ours), documentation, translations and the sources of
// locales: C.UTF-8 is there.
var baseArgs = []string{
	"--quiet", "--variant=minbase",
	"--include=postgresql-15,postgresql-client-15,redis-server,pgbouncer,bash,socat,procps,ca-certificates",
	"--aptopt=APT::Install-Recommends \"false\"",
	`--essential-hook=mkdir -p "$1/etc/postgresql-common"`,
	`--essential-hook=echo create_main_cluster = false >"$1/etc/postgresql-common/createcluster.conf"`,
	"--dpkgopt=path-exclude=/usr/share/man/*",
	"--dpkgopt=path-exclude=/usr/share/doc/*",
	"--dpkgopt=path-exclude=/usr/share/locale/*",
	"--dpkgopt=path-exclude=/usr/lib/postgresql/15/lib/bitcode/*",
	"--dpkgopt=path-exclude=/usr/lib/postgresql/15/lib/llvmjit*",
	"--dpkgopt=path-exclude=/usr/lib/*/libLLVM*",
	"--dpkgopt=path-exclude=/usr/lib/*/libz3*",
	"--dpkgopt=path-exclude=/usr/lib/*/gconv/*",
	"--dpkgopt=path-exclude=/usr/share/i18n/*",
	"bookworm",
}

// PlatformBase returns the base, made at the first call on a machine; install is called before that, to see to
// mmdebstrap.
func PlatformBase(ctx context.Context, c *cache.Folder, say progress.Lines, install func() error) (Base, error) {
	key := cache.Key([]byte(strings.Join(baseArgs, "\n")), []byte(runtime.GOARCH))
	dir, err := c.Get(ctx, "platform-base-"+key, func(temp string) error {
		if err := install(); err != nil {
			return err
		}
		return say.Step("making the base image, once on this machine: a minute or two", func() error { return makeBase(ctx, temp) })
	})
	if err != nil {
		return Base{}, err
	}
	img, err := readLayout(dir)
	if err != nil {
		return Base{}, fmt.Errorf("reading the base image: %w", err)
	}
	return Base{Key: key, Image: img}, nil
}

// makeBase leaves an image layout in the folder dir: its digests are written down, so what is built on it later
// reads them rather than the whole file system.
func makeBase(ctx context.Context, dir string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("making the base image: %w", err)
	}
	system := filepath.Join(dir, "system.tar")
	debootstrap := run.Program{
		Args: append(append([]string{"mmdebstrap"}, baseArgs...), system),
		Env:  run.Downloading("SOURCE_DATE_EPOCH=0"),
	}
	if err := debootstrap.Quiet(ctx); err != nil {
		return fmt.Errorf("making the base image: %w", err)
	}
	layer, err := tarball.LayerFromFile(system, tarball.WithMediaType(types.OCILayer), tarball.WithCompressionLevel(gzip.BestSpeed))
	if err != nil {
		return fmt.Errorf("packing the base image: %w", err)
	}
	img, err := Spec{}.Build()
	if err != nil {
		return err
	}
	if img, err = mutate.AppendLayers(img, layer); err != nil {
		return fmt.Errorf("packing the base image: %w", err)
	}
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		return fmt.Errorf("packing the base image: %w", err)
	}
	if err := path.AppendImage(img); err != nil {
		return fmt.Errorf("packing the base image: %w", err)
	}
	return os.Remove(system)
}

func readLayout(dir string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		return nil, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	if len(manifest.Manifests) != 1 {
		return nil, fmt.Errorf("%s holds %d images", dir, len(manifest.Manifests))
	}
	return index.Image(manifest.Manifests[0].Digest)
}
