package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
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
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", yamlName(f.StructField), is, strings.ReplaceAll(docOf(docs, f), "|", "\\|"))
	}
	return more
}
