package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/binaries"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/cache"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/cluster"
	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/progress"
)

const projectModule = "module github.com/kubectl-rotate/kubectl-rotate\n"

// open finds the checkout that the working folder is in, and the cluster in dir, by default the checkout's own.
func open(dir string, progressTo io.Writer) (*cluster.Cluster, error) {
	root, err := checkoutRoot()
	if err != nil {
		return nil, err
	}
	if dir == "" {
		dir = filepath.Join(root, ".cluster")
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("finding the cluster's folder: %w", err)
	}
	cacheDir, err := cache.DefaultDir()
	if err != nil {
		return nil, err
	}
	module := filepath.Join(root, "test", "cluster")
	say := progress.Lines{W: progressTo}
	busy := func(string) { say.Say("waiting for another command that works on the same") }
	return &cluster.Cluster{
		Dir:     dir,
		Module:  module,
		Cache:   &cache.Folder{Dir: cacheDir, Busy: busy},
		Say:     say,
		Sources: binaries.Source(filepath.Join(module, "kubernetes")),
	}, nil
}

// checkoutRoot looks from the working folder upwards for the project's go.mod.
func checkoutRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the checkout: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && strings.HasPrefix(string(data), projectModule) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("finding the checkout: the working folder is not in one")
		}
	}
}
