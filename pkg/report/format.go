package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
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

// Write writes all in the listing's format.
func (l Listing) Write(w io.Writer, all []Status) error {
	d := document{kind: "StatusList", items: append([]Status{}, all...), table: func() string { return l.table(all) }}
	for _, s := range all {
		d.names = append(d.names, "target/"+s.Name)
	}
	if err := d.write(w, l.Format); err != nil {
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

func (d document) write(w io.Writer, f Format) error {
	text, err := d.text(f)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

func (d document) text(f Format) (text []byte, err error) {
	doc := struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Items      any    `json:"items"`
	}{"kubectl-rotate/v1alpha1", d.kind, d.items}
	if template, ok := strings.CutPrefix(string(f), jsonPath); ok {
		return fill(template, doc)
	}
	switch f {
	case JSONs:
		var out bytes.Buffer
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		err = e.Encode(doc)
		return out.Bytes(), err
	case YAML:
		return yaml.Marshal(doc)
	case Name:
		for _, name := range d.names {
			text = append(text, name+"\n"...)
		}
		return text, nil
	}
	return []byte(d.table()), nil
}

// fill writes doc through a template. Its fields have the names that they have in JSON.
func fill(template string, doc any) ([]byte, error) {
	p, err := parseTemplate(template)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = p.Execute(&out, plain)
	return out.Bytes(), err
}
