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
)

const jsonPath = "jsonpath="

// ParseFormat reads a value of -o. An error lists the formats there are, or says what is wrong with a template.
func ParseFormat(text string) (Format, error) {
	if template, ok := strings.CutPrefix(text, jsonPath); ok {
		_, err := parseTemplate(template)
		return Format(text), err
	}
	switch f := Format(text); f {
	case Table, Wide, JSONs, YAML, Name:
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

// List is the document of `-o json` and `-o yaml`.
type List struct {
	// APIVersion is kubectl-rotate/v1alpha1, Kind is StatusList.
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	// Items are the targets, in the order of the configuration.
	Items []Status `json:"items"`
}

// Write writes all in the listing's format.
func (l Listing) Write(w io.Writer, all []Status) error {
	text, err := l.text(all)
	if err != nil {
		return fmt.Errorf("writing the status: %w", err)
	}
	_, err = w.Write(text)
	return err
}

func (l Listing) text(all []Status) (text []byte, err error) {
	doc := List{APIVersion: "kubectl-rotate/v1alpha1", Kind: "StatusList", Items: append([]Status{}, all...)}
	if template, ok := strings.CutPrefix(string(l.Format), jsonPath); ok {
		return fill(template, doc)
	}
	switch l.Format {
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
		for _, s := range all {
			text = append(text, "target/"+s.Name+"\n"...)
		}
		return text, nil
	}
	return []byte(l.table(all)), nil
}

// fill writes doc through a template. Its fields have the names that they have in JSON.
func fill(template string, doc List) ([]byte, error) {
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
