package config

import (
	"fmt"
	"math"
	"reflect"
	"slices"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// strict compares a document with the Go type it is to be read into, before it is: what does not fit is a
// problem with its line, and the line of each field is kept for the validation that follows. The YAML library's own
// strict mode stops at the first unknown field of a struct and names Go types instead of paths.
type strict struct {
	lines    map[string]int
	problems []Problem
	nodes    int // that were walked, through aliases too
}

// mostNodes is how much of a document is walked: aliases of aliases make a page of text endless.
const mostNodes = 100_000

var durationType = reflect.TypeFor[Duration]()

// walk compares node n, which stands at path, with t.
func (s *strict) walk(n *yaml.Node, t reflect.Type, path *field.Path) {
	if s.nodes++; s.nodes > mostNodes {
		if s.nodes == mostNodes+1 {
			s.add(n.Line, path, fmt.Sprintf("with all before it there are more than %d values here; are there aliases of aliases?", mostNodes))
		}
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case isNothing(n):
	case t == durationType:
		s.duration(n, path)
	case t.Kind() == reflect.Struct:
		s.mapping(n, t, path)
	case t.Kind() == reflect.Slice:
		s.list(n, t, path)
	case n.Kind != yaml.ScalarNode:
		s.add(n.Line, path, "must be a single value, not "+kindName(n))
	default:
		s.scalar(n, t, path)
	}
}

// scalar looks at a single value. What YAML has beside numbers, and names for true and false that editors do not know, is refused.
func (s *strict) scalar(n *yaml.Node, t reflect.Type, path *field.Path) {
	var f float64
	switch {
	case t.Kind() == reflect.Int && (n.Tag != "!!int" || n.Decode(new(int)) != nil):
		s.add(n.Line, path, fmt.Sprintf("%q is not a whole number", n.Value))
	case t.Kind() == reflect.Float64 && (n.Tag != "!!int" && n.Tag != "!!float" || n.Decode(&f) != nil || math.IsNaN(f) || math.IsInf(f, 0)):
		s.add(n.Line, path, fmt.Sprintf("%q is not a number", n.Value))
	case t.Kind() == reflect.Bool && n.Tag != "!!bool":
		s.add(n.Line, path, fmt.Sprintf("%q is neither true nor false", n.Value))
	}
}

func isNothing(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func (s *strict) duration(n *yaml.Node, path *field.Path) {
	if n.Kind != yaml.ScalarNode {
		s.add(n.Line, path, "must be a duration such as 10m or 90d, not "+kindName(n))
		return
	}
	if _, err := ParseDuration(n.Value); err != nil {
		s.add(n.Line, path, err.Error())
	}
}

func (s *strict) list(n *yaml.Node, t reflect.Type, path *field.Path) {
	if n.Kind != yaml.SequenceNode {
		s.add(n.Line, path, "must be a list, not "+kindName(n))
		return
	}
	for i, entry := range n.Content {
		at := path.Index(i)
		s.lines[at.String()] = entry.Line
		if isNothing(entry) {
			s.add(entry.Line, at, "is empty") // the YAML library would leave it out
		}
		s.walk(entry, t.Elem(), at)
	}
}

func (s *strict) mapping(n *yaml.Node, t reflect.Type, path *field.Path) {
	if n.Kind != yaml.MappingNode {
		s.add(n.Line, path, "must have fields of its own, not be "+kindName(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		at := path.Child(key.Value)
		known, ok := fieldNamed(t, key.Value)
		switch line := seen[key.Value]; {
		case key.Tag == "!!merge":
			s.add(key.Line, path, "a merge (<<) is not read: write the fields out")
		case key.Kind != yaml.ScalarNode || key.Tag != "!!str": // a name that the YAML library would read as another one
			s.add(key.Line, path, "a field must have a plain name")
		case line > 0:
			s.add(key.Line, at, fmt.Sprintf("is given already on line %d", line))
		case !ok:
			s.add(key.Line, at, "unknown field; "+suggestion(key.Value, fieldNames(t)))
		default:
			s.lines[at.String()] = key.Line
			s.walk(value, known.Type, at)
		}
		seen[key.Value] = key.Line
	}
}

func (s *strict) add(line int, path *field.Path, text string) {
	p := Problem{Line: line, Text: text}
	if path != nil {
		p.Field = path.String()
	}
	s.problems = append(s.problems, p)
}

// fieldNamed is the field of t that stands in the file as name.
func fieldNamed(t reflect.Type, name string) (entry, bool) {
	for _, f := range entries(t) {
		if yamlName(f.StructField) == name {
			return f, true
		}
	}
	return entry{}, false
}

func fieldNames(t reflect.Type) (names []string) {
	for _, f := range entries(t) {
		names = append(names, yamlName(f.StructField))
	}
	slices.Sort(names)
	return names
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	return fmt.Sprintf("%q", n.Value)
}
