package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The page of the targets file is what the types' comments say; `make docs` writes it.
func TestReferenceOfTheFileIsUpToDate(t *testing.T) {
	docs, err := fieldDocs()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	out.WriteString("# The targets file\n\nWritten by `make docs` from the types. Editors take [config.schema.json](config.schema.json), which `kubectl rotate config schema` prints too.\n")
	seen := map[reflect.Type]bool{}
	for queue := []reflect.Type{reflect.TypeFor[Config]()}; len(queue) > 0; queue = queue[1:] {
		if typ := queue[0]; !seen[typ] {
			seen[typ] = true
			queue = append(queue, page(&out, docs, typ)...)
		}
	}
	golden(t, "../../docs/reference/config.md", out.String())
}

// page writes one type, and gives those that its fields are of.
func page(out *strings.Builder, docs map[string]string, typ reflect.Type) (more []reflect.Type) {
	fmt.Fprintf(out, "\n## %s\n\n%s\n\n| field | is | |\n|---|---|---|\n", typ.Name(), docs[typ.Name()])
	for _, f := range entries(typ) {
		is, of := "", f.Type
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			if of.Kind() == reflect.Slice {
				is = "list of "
			}
			of = of.Elem()
		}
		switch {
		case of == durationType:
			is += "duration"
		case of.Kind() == reflect.Struct:
			is += fmt.Sprintf("[%s](#%s)", of.Name(), strings.ToLower(of.Name()))
			more = append(more, of)
		case of.Kind() == reflect.Float64:
			is += "number"
		default:
			is += of.Kind().String()
		}
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", yamlName(f.StructField), is, strings.ReplaceAll(docOf(docs, f)+inConfigMap(f), "|", "\\|"))
	}
	return more
}

// inConfigMap says what a ConfigMap that was found may set a field to, where that is less than anything.
func inConfigMap(f entry) string {
	allows := reach[f.of.Name()+"."+yamlName(f.StructField)]
	if allows == nil { // of one that it may not set
		return ""
	}
	ask := func(value string, kind Kind) string {
		return allows(&yaml.Node{Kind: yaml.ScalarNode, Value: value}, tenant{"own", kind})
	}
	switch why := ask("other", KindJWT); {
	case why == "":
		return ""
	case ask("own", KindJWT) == "":
		return " In a ConfigMap that was found: its own namespace only."
	case ask("other", KindPostgres) == "":
		return " Not in a ConfigMap that was found, for kind jwt: " + why + "."
	default:
		return " Not in a ConfigMap that was found: " + why + "."
	}
}
