package config

import (
	"embed"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"sync"
)

// sources are the files of this package with the types of the targets file: what their comments say of a field is what an
// editor and `config init` say of it.
//
//go:embed types.go certificates.go before.go gates.go prometheus.go jwt.go
var sources embed.FS

// fieldDocs are the comments of all fields, by type and Go name: "Target.Soak", and of the types themselves.
var fieldDocs = sync.OnceValues(func() (map[string]string, error) {
	docs := map[string]string{}
	files, err := sources.ReadDir(".")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		text, err := sources.ReadFile(f.Name())
		if err != nil {
			return nil, err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.Name(), text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if decl, ok := n.(*ast.GenDecl); ok {
				documented(decl, docs)
			}
			return true
		})
	}
	return docs, nil
})

// documented takes the comments of one declaration of types.
func documented(decl *ast.GenDecl, docs map[string]string) {
	for _, spec := range decl.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		docs[t.Name.Name] = oneLine(decl.Doc.Text())
		s, ok := t.Type.(*ast.StructType)
		if !ok {
			continue
		}
		for _, f := range s.Fields.List {
			for _, name := range f.Names {
				docs[t.Name.Name+"."+name.Name] = oneLine(f.Doc.Text())
			}
		}
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// docOf is what is said of a field in the file's own words: the field's Go name at the beginning becomes its name there.
func docOf(docs map[string]string, f entry) string {
	text := docs[f.of.Name()+"."+f.Name]
	if rest, ok := strings.CutPrefix(text, f.Name+" "); ok {
		return yamlName(f.StructField) + " " + rest
	}
	return text
}

// yamlName is what a field is called in the file.
func yamlName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
	return name
}

// inline says whether what a field holds stands in the file beside the fields around it.
func inline(f reflect.StructField) bool { return strings.HasSuffix(f.Tag.Get("yaml"), ",inline") }

// entry is a field as it stands in the file, and the type that has it: one that is written inline has its own.
type entry struct {
	reflect.StructField
	of reflect.Type
}

// entries are the fields of t as they stand in the file.
func entries(t reflect.Type) (all []entry) {
	for f := range t.Fields() {
		if inline(f) {
			all = append(all, entries(f.Type)...)
			continue
		}
		all = append(all, entry{f, t})
	}
	return all
}
