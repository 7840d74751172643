package config

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Draft is a target as it was found in a cluster, for a file that somebody will go through.
type Draft struct {
	Target Target   // what differs from the defaults of its kind
	Seen   []string // why it is there: what was seen, each in a sentence
}

// usual are the fields that a draft shows with their defaults, to be changed, where its kind has one.
var usual = []string{"owner", "interval", "soak"}

// DraftFile is a commented targets file, which [Parse] reads. remarks go to its head, each in a paragraph.
func DraftFile(drafts []Draft, remarks ...string) ([]byte, error) {
	docs, err := fieldDocs()
	if err != nil {
		return nil, fmt.Errorf("reading what is said of the fields: %w", err)
	}
	var out bytes.Buffer
	for _, r := range remarks {
		comment(&out, "", r)
	}
	fmt.Fprintf(&out, "apiVersion: %s\ntargets:\n", APIVersion)
	for _, d := range drafts {
		out.WriteString("\n")
		for _, s := range d.Seen {
			comment(&out, "", s)
		}
		if err := d.write(&out, docs); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), nil
}

// write is one target: what was found, then the usual fields as comments.
func (d Draft) write(out *bytes.Buffer, docs map[string]string) error {
	var text bytes.Buffer
	e := yaml.NewEncoder(&text)
	e.SetIndent(2)
	if err := e.Encode(sparse(reflect.ValueOf(d.Target))); err != nil {
		return fmt.Errorf("writing target %s: %w", d.Target.Name, err)
	}
	first := "- "
	for line := range strings.Lines(text.String()) {
		out.WriteString(first + line)
		first = "  "
	}
	of := kinds()[d.Target.Kind].defaults()
	for _, f := range entries(reflect.TypeFor[Target]()) {
		value := reflect.ValueOf(of).FieldByIndex(f.Index)
		if name := yamlName(f.StructField); slices.Contains(usual, name) && !value.IsZero() {
			comment(out, "  ", docOf(docs, f))
			fmt.Fprintf(out, "  # %s: %v\n", name, value)
		}
	}
	return nil
}

// sparse is v as YAML, in the order of its fields and without those that say nothing.
func sparse(v reflect.Value) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for f, field := range v.Fields() {
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		if !field.IsValid() || field.IsZero() {
			continue
		}
		value := &yaml.Node{}
		if field.Kind() == reflect.Struct && field.Type() != durationType {
			if value = sparse(field); len(value.Content) == 0 {
				continue
			}
		} else if err := value.Encode(field.Interface()); err != nil {
			continue // there is no field whose value cannot be written
		}
		if inline(f) {
			n.Content = append(n.Content, value.Content...)
			continue
		}
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: yamlName(f)}, value)
	}
	return n
}

// comment writes text as a comment of lines that fit a screen.
func comment(out *bytes.Buffer, indent, text string) {
	const width = 100
	line := indent + "#"
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width {
			fmt.Fprintln(out, line)
			line = indent + "#"
		}
		line += " " + word
	}
	fmt.Fprintln(out, line)
}
