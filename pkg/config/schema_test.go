package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	openapi "k8s.io/kube-openapi/pkg/validation/validate"
)

func TestSchemaInDocsIsUpToDate(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../../docs/reference/config.schema.json", string(text))
}

// Whoever adds a field says what it is, in a file whose comments are read.
func TestEveryFieldIsDescribed(t *testing.T) {
	docs, err := fieldDocs()
	if err != nil {
		t.Fatal(err)
	}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			walk(typ.Elem())
		case reflect.Struct:
			for _, f := range entries(typ) {
				if typ == durationType {
					return
				}
				if docOf(docs, f) == "" {
					t.Errorf("nothing is said of %s.%s: is its file among those that fields.go embeds?", typ.Name(), f.Name)
				}
				walk(f.Type)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

// schemaErrors is what the schema says against a file.
func schemaErrors(t *testing.T, text string) error {
	t.Helper()
	raw, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	var s spec.Schema
	if err := json.Unmarshal(raw, &s); err != nil {
		t.Fatal(err)
	}
	var doc any
	if err := yaml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	return openapi.NewSchemaValidator(&s, nil, "", strfmt.Default).Validate(doc).AsError()
}

// What is valid is so for an editor too: the defaults, every field that there is, what View prints.
func TestSchemaAcceptsWhatIsValid(t *testing.T) {
	full, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := Parse("full", full)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"defaults": view(t, Default()), "full": string(full), "view": view(t, parsed),
		"short": "apiVersion: kubectl-rotate/v1alpha1\ntargets: [{name: postgres, kind: postgres, soak: 0}]\n",
	} {
		if err := schemaErrors(t, text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSchemaRefusesWhatAnEditorCanTell(t *testing.T) {
	const head = "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- "
	for text, want := range map[string]string{
		head + "{name: a, kind: postgres, sekret: {}}": "sekret",
		head + "{name: a}":                                                 "kind",
		head + "{name: a, kind: postgre}":                                  "postgre",
		head + "{name: a, kind: postgres, soak: ten minutes}":              "soak",
		head + "{name: a, kind: postgres, soak: 5}":                        "soak",
		head + "{name: a, kind: postgres, also: {name: b}}":                "also",
		head + "{name: a, kind: postgres, postgres: {port: x}}":            "port",
		head + "{name: a, kind: postgres, postgres: {strategy: two}}":      "strategy",
		head + "{name: a, kind: postgres, gates: {urls: [{status: 200}]}}": "url",
		"apiVersion: v1\ntargets: []":                                      "apiVersion",
	} {
		if err := schemaErrors(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	files, err := filepath.Glob("testdata/invalid/unknown-fields.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal("no file", err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if schemaErrors(t, string(text)) == nil {
		t.Error("unknown fields pass")
	}
}

// What an editor says of a single value, reading the file says too.
func TestSchemaAgreesWithParse(t *testing.T) {
	const jwt = "{name: a, kind: jwt, secret: {name: keys}, "
	for value, valid := range map[string]bool{
		"soak: 0}": true, "soak: 10m}": true, "soak: 1d12h}": true, "soak: 1.5h30m}": true, "soak: 90d}": true,
		"soak: ''}": false, "soak: d}": false, "soak: 5}": false, "soak: 10 m}": false, "soak: -5m}": false, "soak: 1h2d}": false,
		"jwt: {reloads: true}}": true, "jwt: {reloads: yes}}": false, "jwt: {reloads: 1}}": false,
		"jwt: {algorithm: PS256}}": true, "jwt: {algorithm: none}}": false,
		"jwt: {probe: {port: 80, scheme: https, verify: {path: /}}}}": true, "jwt: {probe: {port: 80, scheme: ftp, verify: {path: /}}}}": false,
		"jwt: {probe: {port: 80.5, verify: {path: /}}}}": false, "jwt: {probe: {port: '80', verify: {path: /}}}}": false,
		"gates: {prometheus: [{query: up, url: 'http://p', min: 1}]}}": true, "gates: {prometheus: [{query: up, url: 'http://p', min: one}]}}": false,
		"gates: {prometheus: [{query: up, url: 'http://p', min: '1'}]}}": false,
	} {
		text := "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- " + jwt + value + "\n"
		_, err := Parse("file", []byte(text))
		if got := schemaErrors(t, text); (err == nil) != valid || (got == nil) != valid {
			t.Errorf("%s: valid %v, but reading says %v, the schema %v", value, valid, err, got)
		}
	}
}

// Aliases of aliases are a page of text that takes minutes to go through.
func TestAliasesOfAliasesAreRefused(t *testing.T) {
	text := "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- &t {name: a, kind: postgres, also: [&s {name: b, copies: [x" +
		strings.Repeat(", x", 300) + "]}" + strings.Repeat(", *s", 300) + "]}\n" + strings.Repeat("- *t\n", 300)
	began := time.Now()
	_, err := Parse("file", []byte(text))
	if err == nil || !strings.Contains(err.Error(), "aliases of aliases") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}
