package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"k8s.io/client-go/util/jsonpath"
	"sigs.k8s.io/yaml"
)

// Format is a value of -o: one of the constants, or jsonpath= and a template as kubectl has them.
type Format string

// The formats of a status.
const (
	Table Format = ""
	Wide  Format = "wide"
	JSONs Format = "json"
	YAML  Format = "yaml"
	Name  Format = "name"
	// Timeline is one target's handover.
	Timeline Format = "timeline"
)

const jsonPath = "jsonpath="

// ParseFormat reads a value of -o. An error lists the formats there are, or says what is wrong with a template.
func ParseFormat(text string) (Format, error) {
	if template, ok := strings.CutPrefix(text, jsonPath); ok {
		_, err := parseTemplate(template)
		return Format(text), err
	}
	switch f := Format(text); f {
	case Table, Wide, JSONs, YAML, Name, Timeline:
		return f, nil
	}
	return "", fmt.Errorf("unknown output format %q: use wide, json, yaml, name or jsonpath=TEMPLATE", text)
}

func parseTemplate(template string) (*jsonpath.JSONPath, error) {
	p := jsonpath.New("output").AllowMissingKeys(true)
	if err := p.Parse(template); err != nil {
		return nil, fmt.Errorf("reading the template of %s: %w", strings.TrimSuffix(jsonPath, "="), err)
	}
	return p, nil
}

// Listing is how a list of statuses is written. None of it has colours: it is data.
type Listing struct {
	Style
	Format        Format
	AllNamespaces bool // a column for the namespace
	NoHeaders     bool
	Now           time.Time // what ages are counted to
}

// Write prints all in the listing's format.
func (l Listing) Write(p *Printer, all []Status) error {
	d := document{kind: "StatusList", items: append([]Status{}, all...), table: func() string { return l.table(all) }}
	for _, s := range all {
		d.names = append(d.names, "target/"+s.Name)
	}
	if err := d.write(p, l.Format); err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	return nil
}

// document is a list in all the forms in which it can be written.
type document struct {
	kind  string
	items any
	names []string
	table func() string
}

func (d document) write(p *Printer, f Format) error {
	doc := struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Items      any    `json:"items"`
	}{"kubectl-rotate/v1alpha1", d.kind, d.items}
	if template, ok := strings.CutPrefix(string(f), jsonPath); ok {
		return fill(p, template, doc)
	}
	switch f {
	case JSONs:
		return p.JSON(doc, "  ")
	case YAML:
		values, err := plain(doc)
		if err != nil {
			return err
		}
		text, err := yaml.Marshal(values)
		if err != nil {
			return err
		}
		return p.Document(text)
	case Name:
		for _, name := range d.names {
			if err := p.Linef("%s", name); err != nil {
				return err
			}
		}
		return nil
	}
	return p.write(d.table())
}

// fill prints doc through a template.
func fill(p *Printer, template string, doc any) error {
	t, err := parseTemplate(template)
	if err != nil {
		return err
	}
	values, err := plain(doc)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := t.Execute(&out, values); err != nil {
		return err
	}
	return p.Document(out.Bytes())
}

// plain is doc as maps and lists. Its fields have the names that they have in JSON, and its values are one line each.
func plain(doc any) (values any, err error) {
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &values); err != nil {
		return nil, err
	}
	return allClean(values), nil
}

// allClean is what was decoded from JSON, with every text in it clean.
func allClean(v any) any {
	switch v := v.(type) {
	case string:
		return Clean(v)
	case []any:
		for i := range v {
			v[i] = allClean(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = allClean(v[key])
		}
	}
	return v
}
