package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// FileName is what the targets file is called where it is searched for.
const FileName = ".kubectl-rotate.yaml"

// ConfigMapName is what the ConfigMap is called that may hold the file instead, and ConfigMapKey the key in it.
const (
	ConfigMapName = "kubectl-rotate"
	ConfigMapKey  = "config.yaml"
)

// SourceDefaults is the source of a configuration that comes from no file.
const SourceDefaults = "built-in defaults"

// Loader finds the configuration: the file it is told, else the file in the working directory or above, else
// the ConfigMap, else the defaults.
type Loader struct {
	Path string // a file to read and no other; "" searches
	Dir  string // where the search begins; "" is the working directory
	Home string // the search goes no further up than this; "" is the user's home, or the root
	// ConfigMap gives the data of the ConfigMap in the namespace of the context, or nil where there is none.
	// Nil: none is looked for.
	ConfigMap func(context.Context) (map[string]string, error)
}

// Load gives the configuration and where it comes from: the path of the file, "configmap/kubectl-rotate", or
// [SourceDefaults]. A file that is not valid is an error of type [*InvalidError]; the search does not go on past it.
func (l Loader) Load(ctx context.Context) (Config, string, error) {
	path := l.Path
	if path == "" {
		var err error
		if path, err = l.search(); err != nil {
			return Config{}, "", err
		}
	}
	if path == "" {
		return l.loadConfigMap(ctx)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, "", fmt.Errorf("reading the configuration: %w", err)
	}
	c, err := Parse(path, text)
	return c, path, err
}

// search gives the path of the nearest file, "" when there is none.
func (l Loader) search() (string, error) {
	dir, err := filepath.Abs(l.Dir)
	if err != nil {
		return "", fmt.Errorf("searching %s: %w", FileName, err)
	}
	home := l.Home
	if home == "" {
		home, _ = os.UserHomeDir() // a user without a home has the root as the end
	}
	for {
		path := filepath.Join(dir, FileName)
		switch info, err := os.Stat(path); {
		case err == nil && info.Mode().IsRegular():
			return path, nil
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("searching %s: %w", FileName, err)
		}
		up := filepath.Dir(dir)
		if dir == home || up == dir {
			return "", nil
		}
		dir = up
	}
}

func (l Loader) loadConfigMap(ctx context.Context) (Config, string, error) {
	if l.ConfigMap == nil {
		return Default(), SourceDefaults, nil
	}
	source := "configmap/" + ConfigMapName
	data, err := l.ConfigMap(ctx)
	if err != nil {
		return Config{}, "", fmt.Errorf("reading %s: %w", source, err)
	}
	if data == nil {
		return Default(), SourceDefaults, nil
	}
	text, ok := data[ConfigMapKey]
	if !ok {
		return Config{}, "", rotation.WithHint(
			fmt.Errorf("%s has no key %s: it holds %s", source, ConfigMapKey, keyList(data)),
			fmt.Sprintf("make it with `kubectl create configmap %s --from-file=%s=FILE`", ConfigMapName, ConfigMapKey))
	}
	c, err := Parse(source, []byte(text))
	return c, source, err
}

func keyList(data map[string]string) string {
	if len(data) == 0 {
		return "nothing"
	}
	var names []string
	for name := range data {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
