package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
)

// schema is as much of a JSON Schema (draft 7) as describes a targets file to an editor.
type schema struct {
	Schema      string             `json:"$schema,omitempty"`
	Title       string             `json:"title,omitempty"`
	Description string             `json:"description,omitempty"`
	Type        any                `json:"type,omitempty"` // a name, or several
	Enum        []any              `json:"enum,omitempty"`
	Pattern     string             `json:"pattern,omitempty"`
	Minimum     *int               `json:"minimum,omitempty"`
	Maximum     *int               `json:"maximum,omitempty"`
	Items       *schema            `json:"items,omitempty"`
	Properties  map[string]*schema `json:"properties,omitempty"`
	Required    []string           `json:"required,omitempty"`
	Additional  *bool              `json:"additionalProperties,omitempty"`
}

// Schema is a JSON Schema (draft 7) of the targets file, made from the types and what their comments say.
func Schema() ([]byte, error) {
	docs, err := fieldDocs()
	if err != nil {
		return nil, fmt.Errorf("reading what is said of the fields: %w", err)
	}
	s := describe(docs, reflect.TypeFor[Config](), "")
	s.Schema, s.Title = "http://json-schema.org/draft-07/schema#", "Targets file of kubectl rotate"
	s.Description = "What is rotated, where it stands, and how long things take."
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(s)
	return out.Bytes(), err
}

// durationForm is what ParseDuration reads.
const durationForm = `^(0|\d+d|(\d+d)?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+)$`

// required is how a comment says that a field has to be there.
var required = regexp.MustCompile(`\bRequired( in a file)?[.;]`)

// describe is the schema of t, which is what at names: "Postgres.sslmode".
func describe(docs map[string]string, t reflect.Type, at string) *schema {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s := &schema{}
	switch {
	case t == durationType:
		nothing := 0
		s.Type, s.Pattern, s.Minimum, s.Maximum = []string{"string", "integer"}, durationForm, &nothing, &nothing
	case t.Kind() == reflect.Struct:
		fields(docs, t, s)
	case t.Kind() == reflect.Slice:
		s.Type, s.Items = "array", describe(docs, t.Elem(), at)
	case t.Kind() == reflect.Int:
		s.Type = "integer"
	case t.Kind() == reflect.Float64:
		s.Type = "number"
	case t.Kind() == reflect.Bool:
		s.Type = "boolean"
	default:
		s.Type, s.Enum = "string", choices()[at]
	}
	return s
}

// fields fills in what a mapping may have.
func fields(docs map[string]string, t reflect.Type, s *schema) {
	no := false
	s.Type, s.Additional, s.Properties = "object", &no, map[string]*schema{}
	for _, f := range entries(t) {
		name := yamlName(f.StructField)
		one := describe(docs, f.Type, f.of.Name()+"."+name)
		one.Description = docOf(docs, f)
		s.Properties[name] = one
		if required.MatchString(one.Description) {
			s.Required = append(s.Required, name)
		}
	}
}

// choices are the fields that have one of a few values.
func choices() map[string][]any {
	return map[string][]any{
		"Config.apiVersion": {APIVersion},
		"Target.kind":       anyOf(kindNames()),
		"Postgres.sslmode":  anyOf(sslModes),
		"Postgres.auth":     anyOf(authMethods),
		"Postgres.strategy": anyOf(strategies),
		"Redis.tls":         anyOf(tlsModes),
		"ReadyGate.scheme":  {"http", "https"},
		"JWTProbe.scheme":   {"http", "https"},
		"JWT.algorithm":     anyOf(algorithms),
		"Notify.form":       {FormSlack, FormPagerDuty, FormJSON},
	}
}

func anyOf[T any](values []T) (all []any) {
	for _, v := range values {
		all = append(all, v)
	}
	return all
}
