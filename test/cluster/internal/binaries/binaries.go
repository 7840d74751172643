// Package binaries builds the programs of Kubernetes, once for each machine.
package binaries

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/cache"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/progress"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/run"
)

// Version is the release that the module in Source pins. From 1.36 on, kubelets want a newer containerd than
// Debian 12's; from 1.35 on they refuse version 1 control groups.
const Version = "v1.34.4"

const linkFlags = "-s -w" +
	" -X k8s.io/component-base/version.gitVersion=" + Version +
	" -X k8s.io/component-base/version.gitMajor=1" +
	" -X k8s.io/component-base/version.gitMinor=34"

// programs are what is built.
var programs = []string{
	"kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler", "kubectl", "kubelet",
}

// Source is the folder of the module that pins the programs.
type Source string

// Build returns the folder that holds the programs.
func (s Source) Build(ctx context.Context, c *cache.Folder, say progress.Lines) (string, error) {
	key, err := s.key()
	if err != nil {
		return "", fmt.Errorf("building Kubernetes: %w", err)
	}
	return c.Get(ctx, "kubernetes-"+Version+"-"+key, func(temp string) error {
		what := "building Kubernetes " + Version + ", once on this machine: 6 to 10 minutes on two processors"
		return say.Step(what, func() error { return s.build(ctx, temp) })
	})
}

// key is made from what decides over the programs but for the Go release: a newer one is no reason to build again.
func (s Source) key() (string, error) {
	parts := [][]byte{[]byte(linkFlags), []byte(runtime.GOARCH)}
	for _, file := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(string(s), file))
		if err != nil {
			return "", err
		}
		parts = append(parts, data)
	}
	return cache.Key(parts...), nil
}

func (s Source) build(ctx context.Context, to string) error {
	args := []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags", linkFlags, "-o", to + "/"}
	for _, p := range programs {
		args = append(args, "k8s.io/kubernetes/cmd/"+p)
	}
	if err := os.Mkdir(to, 0o755); err != nil {
		return fmt.Errorf("building Kubernetes: %w", err)
	}
	compile := run.Program{Args: args, Dir: string(s), Env: run.Downloading("CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")}
	if err := compile.Quiet(ctx); err != nil {
		return fmt.Errorf("building Kubernetes: %w", err)
	}
	return nil
}
