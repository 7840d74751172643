package config

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// file is a configuration with one target of this name.
func file(name string) string {
	return "apiVersion: kubectl-rotate/v1alpha1\ntargets: [{name: " + name + ", kind: postgres}]\n"
}

// tree makes a folder with home/work/deep in it, and writes files to it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "home/work/deep"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func configMap(name string) func(context.Context) (map[string]string, error) {
	return func(context.Context) (map[string]string, error) {
		return map[string]string{ConfigMapKey: file(name)}, nil
	}
}

func TestSearchOrder(t *testing.T) {
	root := tree(t, map[string]string{
		"given.yaml":                     file("given"),
		".kubectl-rotate.yaml":           file("above-home"),
		"home/.kubectl-rotate.yaml":      file("home"),
		"home/work/.kubectl-rotate.yaml": file("work"),
	})
	home := filepath.Join(root, "home")
	for _, c := range []struct {
		name         string
		loader       Loader
		target, from string
	}{
		{"the file it is told", Loader{Path: filepath.Join(root, "given.yaml"), Dir: filepath.Join(home, "work"), ConfigMap: configMap("map")}, "given", "given.yaml"},
		{"here", Loader{Dir: filepath.Join(home, "work"), ConfigMap: configMap("map")}, "work", "home/work/.kubectl-rotate.yaml"},
		{"above", Loader{Dir: filepath.Join(home, "work/deep"), ConfigMap: configMap("map")}, "work", "home/work/.kubectl-rotate.yaml"},
		{"home", Loader{Dir: home}, "home", "home/.kubectl-rotate.yaml"},
		{"outside home", Loader{Dir: root}, "above-home", ".kubectl-rotate.yaml"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.loader.Home = home
			got, source, err := c.loader.Load(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if want := filepath.Join(root, c.from); source != want || got.Targets[0].Name != c.target {
				t.Errorf("got %s from %s", got.Targets[0].Name, source)
			}
		})
	}
}

// The search ends at home: a file above it belongs to somebody else.
func TestSearchEndsAtHome(t *testing.T) {
	root := tree(t, map[string]string{".kubectl-rotate.yaml": file("above-home")})
	l := Loader{Dir: filepath.Join(root, "home/work/deep"), Home: filepath.Join(root, "home")}
	got, source, err := l.Load(t.Context())
	if err != nil || source != SourceDefaults {
		t.Errorf("got %v from %s, %v", got.Names(), source, err)
	}
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Error(diff)
	}
}

func TestConfigMap(t *testing.T) {
	root := tree(t, nil)
	l := Loader{Dir: filepath.Join(root, "home/work"), Home: filepath.Join(root, "home"), ConfigMap: configMap("map")}
	got, source, err := l.Load(t.Context())
	if err != nil || source != "configmap/kubectl-rotate" || got.Targets[0].Name != "map" {
		t.Errorf("got %v from %s, %v", got.Names(), source, err)
	}
	l.ConfigMap = func(context.Context) (map[string]string, error) { return nil, nil }
	if _, source, err = l.Load(t.Context()); err != nil || source != SourceDefaults {
		t.Errorf("got %s, %v", source, err)
	}
}

func TestLoadErrors(t *testing.T) {
	root := tree(t, map[string]string{"home/work/.kubectl-rotate.yaml": "targets: []\n"})
	here := func(data map[string]string, err error) Loader {
		return Loader{Dir: filepath.Join(root, "home"), Home: filepath.Join(root, "home"),
			ConfigMap: func(context.Context) (map[string]string, error) { return data, err }}
	}
	for _, c := range []struct {
		name, want string
		loader     Loader
	}{
		{"no such file", "reading the configuration: open " + root + "/none: no such file or directory", Loader{Path: root + "/none"}},
		{"a folder", "reading the configuration: read " + root + ": is a directory", Loader{Path: root}},
		{"a file that is not valid ends the search", root + "/home/work/.kubectl-rotate.yaml: apiVersion:", Loader{Dir: root + "/home/work/deep", Home: root}},
		{"a ConfigMap that cannot be read", "reading configmap/kubectl-rotate: it rains", here(nil, errors.New("it rains"))},
		{"a ConfigMap with another key", "configmap/kubectl-rotate has no key config.yaml: it holds a, b", here(map[string]string{"b": "", "a": ""}, nil)},
		{"a ConfigMap with nothing", "configmap/kubectl-rotate has no key config.yaml: it holds nothing", here(map[string]string{}, nil)},
		{"a ConfigMap that is not valid", "configmap/kubectl-rotate:1: x: unknown field", here(map[string]string{ConfigMapKey: "x: 1"}, nil)},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, _, err := c.loader.Load(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if strings.Contains(c.want, "no key") && rotation.Hint(err) == "" {
				t.Error("there is no hint")
			}
			if diff := cmp.Diff(Config{}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
