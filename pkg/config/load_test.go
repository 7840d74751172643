package config

import (
	"context"
	"errors"
	"io/fs"
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
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err == nil {
		err = errors.Join(os.Chmod(root, 0o755), os.MkdirAll(filepath.Join(root, "home/work/deep"), 0o755)) // whatever the umask is
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func configMap(target string) func(context.Context, string) (Map, error) {
	return func(context.Context, string) (Map, error) {
		return Map{Namespace: "shop", Data: map[string]string{ConfigMapKey: file(target)}}, nil
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
			if want := filepath.Join(root, c.from); source.File != want || got.Targets[0].Name != c.target {
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
	if err != nil || !source.Defaults() {
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
	if err != nil || source.String() != "configmap/kubectl-rotate" || !source.Tenants() || got.Targets[0].Name != "map" {
		t.Errorf("got %v from %s, %v", got.Names(), source, err)
	}
	l.ConfigMap = func(context.Context, string) (Map, error) { return Map{Namespace: "shop"}, nil }
	if _, source, err = l.Load(t.Context()); err != nil || !source.Defaults() {
		t.Errorf("got %s, %v", source, err)
	}
}

func TestLoadErrors(t *testing.T) {
	root := tree(t, map[string]string{"home/work/.kubectl-rotate.yaml": "targets: []\n"})
	named := func(l Loader, name string) Loader {
		l.Path = "configmap/" + name
		return l
	}
	here := func(data map[string]string, err error) Loader {
		return Loader{Dir: filepath.Join(root, "home"), Home: filepath.Join(root, "home"),
			ConfigMap: func(context.Context, string) (Map, error) { return Map{Namespace: "shop", Data: data}, err }}
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
		{"a named ConfigMap that is not there", "there is no configmap/x in namespace shop", named(here(nil, nil), "x")},
		{"a named ConfigMap that may not be read", "reading configmap/x: permission denied", named(here(nil, fs.ErrPermission), "x")},
		{"a named ConfigMap without a cluster", "reading configmap/x: no cluster is asked here", Loader{Path: "configmap/x"}},
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

// A ConfigMap that may not be read may be there: the defaults are used, and that is told.
func TestAConfigMapThatMayNotBeReadIsTold(t *testing.T) {
	root := tree(t, nil)
	l := Loader{Dir: filepath.Join(root, "home"), Home: filepath.Join(root, "home"), ConfigMap: func(context.Context, string) (Map, error) {
		return Map{Namespace: "shop"}, fs.ErrPermission
	}}
	_, source, err := l.Load(t.Context())
	if want := "built-in defaults, since configmap/kubectl-rotate in shop may not be read"; err != nil || source.Told() != want {
		t.Errorf("%q, %v; want %q", source.Told(), err, want)
	}
}
