package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// Parse reads a targets file and fills in the defaults. source names it in errors, which are of type
// [*InvalidError] and tell all that is wrong at once.
func Parse(source string, text []byte) (Config, error) { return parse(source, text, nil) }

// ParseTenants is [Parse] for a ConfigMap that was found in that namespace: what reaches further is among the errors.
func ParseTenants(source string, text []byte, namespace string) (Config, error) {
	return parse(source, text, &tenant{namespace: namespace})
}

// parse reads a targets file: the data of a tenant, or, where from is nil, the will of the operator.
func parse(source string, text []byte, from *tenant) (Config, error) {
	root, err := document(text)
	if err != nil {
		return Config{}, &InvalidError{Source: source, Problems: []Problem{problemOfYAML(err)}}
	}
	s := &strict{lines: map[string]int{}}
	s.walk(root, reflect.TypeFor[Config](), nil)
	if len(s.problems) > 0 {
		return Config{}, s.invalid(source)
	}
	c, err := decode(root)
	if err != nil {
		return Config{}, &InvalidError{Source: source, Problems: []Problem{problemOfYAML(err)}}
	}
	var further field.ErrorList
	if from != nil {
		further = beyond(root, reflect.TypeFor[Config](), nil, *from)
	}
	for _, e := range append(validate(c), further...) {
		s.problems = append(s.problems, problemOf(e, s.lines))
	}
	switch {
	case len(further) > 0:
		return Config{}, rotation.WithHint(s.invalid(source), "remove the fields, or read the ConfigMap and trust all of it with `--config="+source+"`")
	case len(s.problems) > 0:
		return Config{}, s.invalid(source)
	}
	return c, nil
}

func (s *strict) invalid(source string) error {
	slices.SortStableFunc(s.problems, func(a, b Problem) int { return a.Line - b.Line })
	return &InvalidError{Source: source, Problems: s.problems}
}

// document is the single document of a file.
func document(text []byte) (*yaml.Node, error) {
	var doc, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, errors.New("is empty")
	} else if err != nil {
		return nil, err
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, errors.New("must be one document: there is a second one after ---")
	}
	return doc.Content[0], nil
}

// decode reads a document that is known to fit. Each target is read over the defaults of its kind, so what
// the file does not mention keeps its default, and what it sets to nothing is nothing.
func decode(root *yaml.Node) (Config, error) {
	var raw struct {
		APIVersion string      `yaml:"apiVersion"`
		Protected  []string    `yaml:"protected"`
		Targets    []yaml.Node `yaml:"targets"`
	}
	if err := root.Decode(&raw); err != nil {
		return Config{}, fmt.Errorf("reading it: %w", err)
	}
	c := Config{APIVersion: raw.APIVersion, Protected: raw.Protected}
	for i := range raw.Targets {
		t, err := decodeTarget(&raw.Targets[i])
		if err != nil {
			return Config{}, fmt.Errorf("reading %s: %w", field.NewPath("targets").Index(i), err)
		}
		c.Targets = append(c.Targets, t)
	}
	return c, nil
}

func decodeTarget(n *yaml.Node) (Target, error) {
	var head struct {
		Kind Kind `yaml:"kind"`
	}
	if err := n.Decode(&head); err != nil {
		return Target{}, err
	}
	var t Target
	k, known := kinds()[head.Kind]
	if known {
		t = k.defaults()
		t.Name = ""
	}
	if err := n.Decode(&t); err != nil || !known {
		return t, err
	}
	return k.settle(t).settle(), nil
}
