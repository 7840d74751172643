package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/test/cluster/internal/image"
)

func TestHelpNeedsNoCheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, args := range [][]string{nil, {"--help"}, {"-h"}, {"image", "--help"}} {
		var out bytes.Buffer
		if err := execute(context.Background(), args, &out, io.Discard); err != nil || !strings.Contains(out.String(), "usage: cluster") {
			t.Errorf("%q: %v, %q", args, err, out.String())
		}
	}
}

func TestMistakesInTheCommandLine(t *testing.T) {
	for _, args := range [][]string{
		{"upp"}, {"up", "now"}, {"stop"}, {"stop", "etcd", "kubelet"}, {"--folder", "x", "up"},
		{"image", "demo"}, {"image", "--name"}, {"image", "--file", "/a:/b"}, {"image", "--name", "n", "--base", "alpine"},
		{"image", "--name", "n", "--file", "relative"},
	} {
		err := execute(context.Background(), args, io.Discard, io.Discard)
		if !errors.Is(err, errUsage) || exitCode(err) != 2 {
			t.Errorf("%q: %v", args, err)
		}
	}
}

func TestOutsideOfACheckout(t *testing.T) {
	t.Chdir(t.TempDir())
	err := execute(context.Background(), []string{"status"}, io.Discard, io.Discard)
	if err == nil || exitCode(err) != 1 || !strings.Contains(err.Error(), "finding the checkout") {
		t.Errorf("got %v", err)
	}
}

func TestParseImageFlags(t *testing.T) {
	got, err := parseImageFlags([]string{
		"--name", "example.test/a:1", "--base", "platform-base", "--user", "65532:65532", "--env", "A=1", "--env", "B=2",
		"--file", "/tmp/a:/a", "--file", "/tmp/b:/b", "--entrypoint", "/a", "--entrypoint", "serve",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := imageFlags{name: "example.test/a:1", base: "platform-base", spec: image.Spec{
		Files:      []image.File{{Host: "/tmp/a", Container: "/a"}, {Host: "/tmp/b", Container: "/b"}},
		Entrypoint: []string{"/a", "serve"},
		Env:        []string{"A=1", "B=2"},
		User:       "65532:65532",
	}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(imageFlags{})); diff != "" {
		t.Errorf("image flags (-want +got):\n%s", diff)
	}
}

func TestOpenFindsTheCheckout(t *testing.T) {
	c, err := open("", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{c.Dir, c.Module, string(c.Sources)} {
		if !strings.HasPrefix(path, "/") {
			t.Errorf("%s is not absolute", path)
		}
	}
	if !strings.HasSuffix(c.Dir, "/.cluster") || !strings.HasSuffix(c.Module, "/test/cluster") {
		t.Errorf("the cluster is in %s, its source in %s", c.Dir, c.Module)
	}
	elsewhere, err := open("somewhere/else", io.Discard)
	if err != nil || !strings.HasSuffix(elsewhere.Dir, "/test/cluster/somewhere/else") {
		t.Errorf("--dir gave %s, %v", elsewhere.Dir, err)
	}
}
