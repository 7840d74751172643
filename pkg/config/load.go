package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// FileName is what the targets file is called where it is searched for.
const FileName = ".kubectl-rotate.yaml"

// ConfigMapName is what the ConfigMap is called that may hold the file instead, and ConfigMapKey the key in it.
const (
	ConfigMapName = "kubectl-rotate"
	ConfigMapKey  = "config.yaml"
)

// mapPrefix is what a ConfigMap's name has before it where a file's path could stand.
const mapPrefix = "configmap/"

// Map is a ConfigMap.
type Map struct {
	Namespace string
	Data      map[string]string // nil: there is none of that name
	By        string            // the field manager that wrote it last
	Written   time.Time
}

// Loader finds the configuration: what it is told, else the file in the working directory or above, else the ConfigMap, else the
// defaults.
type Loader struct {
	Path string // a file to read and no other, or configmap/NAME; "" searches
	Dir  string // where the search begins; "" is the working directory
	Home string // the search goes no further up than this; "" is the user's home
	// ConfigMap reads a ConfigMap in the namespace of the context. An error that is fs.ErrPermission says that it may not be read. Nil:
	// none is looked for.
	ConfigMap func(ctx context.Context, name string) (Map, error)
}

// NamesConfigMap says whether a path names a ConfigMap instead of a file, and which.
func NamesConfigMap(path string) (name string, ok bool) { return strings.CutPrefix(path, mapPrefix) }

// Load gives the configuration and where it comes from. A file that is not valid is an error of type [*InvalidError]; the search does not
// go on past it.
func (l Loader) Load(ctx context.Context) (Config, Source, error) {
	if name, ok := NamesConfigMap(l.Path); ok {
		return l.loadMap(ctx, name, true)
	}
	if l.Path != "" {
		return loadFile(l.Path, true)
	}
	path, err := l.search()
	switch {
	case err != nil:
		return Config{}, Source{}, err
	case path != "":
		return loadFile(path, false)
	}
	return l.loadMap(ctx, ConfigMapName, false)
}

// loadFile reads a file that the operator has named, or one that was found, which others must not have written.
func loadFile(path string, named bool) (Config, Source, error) {
	text, source, err := readFile(path)
	source.Named = named
	if err == nil && !named {
		err = source.trusted()
	}
	if err != nil {
		return Config{}, Source{}, fmt.Errorf("reading the configuration: %w", err)
	}
	c, err := Parse(path, text)
	return c, source, err
}

// loadMap reads a ConfigMap. One that is there without having been named is data of its namespace.
func (l Loader) loadMap(ctx context.Context, name string, named bool) (Config, Source, error) {
	if l.ConfigMap == nil {
		if named {
			return Config{}, Source{}, fmt.Errorf("reading %s%s: no cluster is asked here", mapPrefix, name)
		}
		return Default(), Source{}, nil
	}
	m, err := l.ConfigMap(ctx, name)
	source := Source{ConfigMap: name, Namespace: m.Namespace, Named: named, By: m.By, Written: m.Written}
	switch {
	case errors.Is(err, fs.ErrPermission) && !named:
		return Default(), Source{Namespace: m.Namespace, Unread: true}, nil
	case err != nil:
		return Config{}, Source{}, fmt.Errorf("reading %s: %w", source, err)
	case m.Data == nil && named:
		return Config{}, Source{}, rotation.WithHint(fmt.Errorf("there is no %s in namespace %s", source, m.Namespace),
			"choose another namespace with -n; a file of that name is ./"+source.String())
	case m.Data == nil:
		return Default(), Source{}, nil
	}
	text, ok := m.Data[ConfigMapKey]
	if !ok {
		return Config{}, Source{}, rotation.WithHint(
			fmt.Errorf("%s has no key %s: it holds %s", source, ConfigMapKey, keyList(m.Data)),
			fmt.Sprintf("make it with `kubectl create configmap %s --from-file=%s=FILE`", name, ConfigMapKey))
	}
	var c Config
	if named {
		c, err = Parse(source.String(), []byte(text))
	} else {
		c, err = ParseTenants(source.String(), []byte(text), m.Namespace)
	}
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
