package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Target is the target called name. An error lists the names there are.
func (c Config) Target(name string) (Target, error) {
	for _, t := range c.Targets {
		if t.Name == name {
			return t, nil
		}
	}
	names := c.Names()
	return Target{}, rotation.WithHint(
		fmt.Errorf("there is no target %q", name),
		"targets in the configuration: "+strings.Join(names, ", "))
}

// Names are the names of all targets, sorted.
func (c Config) Names() []string {
	names := make([]string, len(c.Targets))
	for i, t := range c.Targets {
		names[i] = t.Name
	}
	slices.Sort(names)
	return names
}

// Secrets are the target's Secret and those under also, each with its namespace, or "" where that is the
// namespace of the context.
func (t Target) Secrets() []Secret {
	all := append([]Secret{t.Secret}, t.Also...)
	for i := range all {
		if all[i].Namespace == "" {
			all[i].Namespace = t.Namespace
		}
	}
	return all
}

// View is the configuration with all defaults, as a file that [Parse] reads.
func (c Config) View() ([]byte, error) {
	var text bytes.Buffer
	e := yaml.NewEncoder(&text)
	e.SetIndent(2)
	if err := e.Encode(c); err != nil {
		return nil, fmt.Errorf("writing the configuration: %w", err)
	}
	return text.Bytes(), nil
}
