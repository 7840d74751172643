package config

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kubectl-rotate/kubectl-rotate/pkg/rotation"
)

// setting is one field of the file: its path as errors have it, and whether its rule lets a ConfigMap set it to something.
type setting struct {
	name string // "Postgres.address"
	path string
	kind Kind
}

// settings are all fields of the types, each once for each way there. Fields below one that is the operator's are left out.
func settings(t *testing.T, of reflect.Type, path string, kind Kind, seen map[string]bool) (all []setting) {
	t.Helper()
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || of == durationType {
		return nil
	}
	for _, f := range entries(of) {
		one := setting{f.of.Name() + "." + yamlName(f.StructField), strings.TrimPrefix(path+"."+yamlName(f.StructField), "."), kind}
		seen[one.name] = true
		all = append(all, one)
		if f.Type.Kind() == reflect.Slice {
			one.path += "[0]"
		}
		if !isOperators(one.name) {
			all = append(all, settings(t, f.Type, one.path, kind, seen)...)
		}
	}
	return all
}

// isOperators says whether a field is the operator's, whatever it is set to.
func isOperators(name string) bool { return slices.Contains(operatorsFields, name) }

// operatorsFields are what no ConfigMap may set: what reaches beyond its namespace, sends something from the operator's machine, or
// sends a Secret to whom does not hold it.
var operatorsFields = []string{
	"Config.protected", "Target.notify", "Target.grafana", "Target.podOutput", "Postgres.address", "Postgres.through", "Postgres.standbys", "Postgres.auth", "Postgres.owner", "Redis.address", "Redis.nodes",
	"Gates.urls", "Prometheus.url", "Prometheus.token", "JWTProbe.claims", "IssueRequest.body",
}

// namespaces are fields that a ConfigMap may set to its own namespace only.
var namespaces = []string{"Target.namespace", "Secret.namespace", "Postgres.namespace", "Redis.namespace", "Backup.namespace", "Prometheus.namespace"}

// Every field of the file is either data of the namespace or the operator's: a new one has to be decided on.
func TestEveryFieldHasARule(t *testing.T) {
	seen := map[string]bool{}
	settings(t, reflect.TypeFor[Config](), "", KindPostgres, seen)
	for name := range seen {
		if reach[name] == nil {
			t.Errorf("%s: may a ConfigMap, which anybody in its namespace may have written, set it? Say so in reach", name)
		}
		if looks := strings.HasSuffix(strings.ToLower(name), "namespace"); looks != slices.Contains(namespaces, name) {
			t.Errorf("%s: is it a namespace?", name)
		}
		for _, word := range []string{"url", "address", "token", "webhook", "host", "endpoint", "insecure"} {
			if strings.Contains(strings.ToLower(name), word) && !isOperators(name) {
				t.Errorf("%s sounds like something that reaches beyond the namespace, and is free", name)
			}
		}
	}
	for name := range reach {
		if !seen[name] {
			t.Errorf("%s has a rule, and is no field", name)
		}
	}
}

// fileWith is a file that sets a field, with all that is around it.
func fileWith(s setting, value string) string {
	text := fmt.Sprintf("apiVersion: %s\ntargets:\n- name: a\n  kind: %s\n", APIVersion, s.kind)
	rest, inTarget := strings.CutPrefix(s.path, "targets[0].")
	if !inTarget {
		if s.path == "protected" {
			return text + "protected: " + value + "\n"
		}
		return text
	}
	parts := strings.Split(rest, ".")
	indent := "  "
	for i, p := range parts {
		name, item := strings.CutSuffix(p, "[0]")
		if i == len(parts)-1 {
			return text + indent + name + ": " + value + "\n"
		}
		text += indent + name + ":\n"
		indent += "  "
		if item {
			text += indent + "-\n"
			indent += "  "
		}
	}
	return text
}

// problemsOf are those of a file that was found as a ConfigMap in namespace shop.
func problemsOf(text string) (refused []string, err error) {
	_, err = ParseTenants("configmap/kubectl-rotate", []byte(text), "shop")
	var invalid *InvalidError
	if errors.As(err, &invalid) {
		for _, p := range invalid.Problems {
			if strings.Contains(p.Text, "a ConfigMap may not set it") {
				refused = append(refused, p.Field)
			}
		}
	}
	return refused, err
}

// Each field of every type, on each way there, is set in a ConfigMap: it is refused by its path where it is the operator's, where it is
// another namespace, and nowhere else.
func TestAConfigMapReachesNoFurtherThanItsNamespace(t *testing.T) {
	tried := 0
	for _, s := range settings(t, reflect.TypeFor[Config](), "", KindPostgres, map[string]bool{}) {
		if s.name == "Target.name" || s.name == "Target.kind" || !strings.Contains(s.path, "targets[0].") && s.path != "protected" {
			continue
		}
		for _, kind := range kindNames() {
			s.kind = kind
			for value, want := range map[string]bool{
				"'elsewhere'": isOperators(s.name) || slices.Contains(namespaces, s.name) || s.name == "Target.consumers" && kind == KindJWT,
				"'shop'":      isOperators(s.name) || s.name == "Target.consumers" && kind == KindJWT,
			} {
				if v, ok := fitting(s, value); ok {
					value = v
				}
				text := fileWith(s, value)
				refused, err := problemsOf(text)
				var invalid *InvalidError
				if errors.As(err, &invalid) && strings.Contains(err.Error(), "must be") && len(refused) == 0 && want {
					t.Errorf("%s does not fit, so nothing was tried: %v\n%s", s.path, err, text)
				}
				if got := slices.Contains(refused, s.path); got != want || len(refused) > 1 {
					t.Errorf("%s of kind %s: refused %v, want %v\n%s%v", s.path, kind, refused, want, text, err)
				}
				if want && !strings.Contains(rotation.Hint(err), "--config=configmap/kubectl-rotate") {
					t.Errorf("%s: the hint is %q", s.path, rotation.Hint(err))
				}
				tried++
			}
		}
	}
	if tried < 400 {
		t.Errorf("only %d settings were tried", tried)
	}
}

// fitting is a value of the field's own form, where text is not.
func fitting(s setting, value string) (string, bool) {
	of := typeAt(reflect.TypeFor[Config](), s.path)
	switch {
	case of == durationType:
		return "1m", true
	case of.Kind() == reflect.Slice && of.Elem().Kind() == reflect.String:
		return "[" + value + "]", true
	case of.Kind() == reflect.Slice:
		return "[{}]", true
	case of.Kind() == reflect.Struct:
		return filled(of), true
	case of.Kind() == reflect.Int, of.Kind() == reflect.Float64:
		return "1", true
	case of.Kind() == reflect.Bool:
		return "true", true
	}
	return value, false
}

// filled is a mapping with the first of the fields of a type that are text.
func filled(of reflect.Type) string {
	for _, f := range entries(of) {
		if name := f.of.Name() + "." + yamlName(f.StructField); f.Type.Kind() == reflect.String && !isOperators(name) && !slices.Contains(namespaces, name) {
			return "{" + yamlName(f.StructField) + ": x}"
		}
	}
	return "{}"
}

// typeAt is the type of the field at a path.
func typeAt(of reflect.Type, path string) reflect.Type {
	for _, name := range strings.Split(path, ".") {
		for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
			of = of.Elem()
		}
		f, _ := fieldNamed(of, strings.TrimSuffix(name, "[0]"))
		of = f.Type
	}
	for of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	return of
}

// What is said by an anchor elsewhere in the document is said.
func TestAConfigMapReachesNoFurtherByAnAlias(t *testing.T) {
	for text, want := range map[string]string{
		"targets:\n- {name: a, kind: jwt, owner: &n payments, namespace: *n}\n":                                          "targets[0].namespace",
		"targets:\n- {name: a, kind: jwt, owner: &k jwt}\n- {name: b, kind: *k, consumers: [deployment/x]}\n":            "targets[1].consumers",
		"targets:\n- &t {name: a, kind: redis, redis: {address: \"evil:1\"}}\n- *t\n":                                    "targets[0].redis.address",
		"targets:\n- {name: a, kind: jwt, gates: {prometheus: [&p {query: x, max: 1, url: \"http://evil\"}, *p]}}\n":     "targets[0].gates.prometheus[1].url",
		"targets:\n- {name: a, kind: jwt, refused: {query: \"[{since}]\", service: p, token: {name: stripe, key: k}}}\n": "targets[0].refused.token",
	} {
		refused, err := problemsOf("apiVersion: kubectl-rotate/v1alpha1\n" + text)
		if !slices.Contains(refused, want) {
			t.Errorf("%s\nrefused %v, want %s: %v", text, refused, want, err)
		}
	}
}

// What a ConfigMap may say is obeyed, and the same text with more in it is obeyed once the operator has named it.
func TestANamedConfigMapIsTheOperatorsWill(t *testing.T) {
	text := "apiVersion: kubectl-rotate/v1alpha1\ntargets:\n- {name: a, kind: postgres, namespace: shop, postgres: {pod: pg-0, namespace: shop}}\n"
	if c, err := ParseTenants("configmap/kubectl-rotate", []byte(text), "shop"); err != nil || len(c.Targets) != 1 {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := ParseTenants("configmap/kubectl-rotate", []byte(text), ""); err == nil {
		t.Error("a ConfigMap of no namespace was obeyed")
	}
	more := strings.ReplaceAll(text, "shop", "payments")
	l := Loader{Path: "configmap/more", ConfigMap: func(_ context.Context, name string) (Map, error) {
		return Map{Namespace: "shop", Data: map[string]string{ConfigMapKey: strings.ReplaceAll(more, "name: a", "name: "+name)}}, nil
	}}
	if c, source, err := l.Load(t.Context()); err != nil || source.Tenants() || c.Targets[0].Name != "more" || c.Targets[0].Namespace != "payments" {
		t.Errorf("%v from %v, %v", c, source, err)
	}
}
