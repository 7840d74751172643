package config

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// form is what names of one sort look like, for Kubernetes and for people.
type form struct {
	check func(string) []string
	text  string
}

var (
	label     = form{validation.IsDNS1123Label, "must be at most 63 lower-case letters, digits and hyphens, and begin and end with a letter or digit"}
	subdomain = form{validation.IsDNS1123Subdomain, "must be at most 253 lower-case letters, digits, hyphens and dots, and begin and end with a letter or digit"}
	dataKey   = form{validation.IsConfigMapKey, "must be at most 253 letters, digits, hyphens, underscores and dots"}
)

// nameErrors wants a name of form f.
func nameErrors(name string, path *field.Path, f form) field.ErrorList {
	if name == "" {
		return field.ErrorList{field.Required(path, "")}
	}
	return optional(name, path, f)
}

// optional wants nothing, or a name of form f.
func optional(name string, path *field.Path, f form) field.ErrorList {
	if name == "" || len(f.check(name)) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(path, name, f.text)}
}

// ValidName says whether a target, or a namespace, can have that name.
func ValidName(name string) bool { return len(label.check(name)) == 0 }

// workloadKinds are what can be rolled.
var workloadKinds = []string{"cronjob", "daemonset", "deployment", "statefulset"}

func consumerErrors(workload string, path *field.Path) field.ErrorList {
	kind, name, ok := strings.Cut(workload, "/")
	if !ok {
		return field.ErrorList{field.Invalid(path, workload, "must be kind/name, such as deployment/backend")}
	}
	if !slices.Contains(workloadKinds, kind) {
		return field.ErrorList{field.NotSupported(path, kind, workloadKinds)}
	}
	return nameErrors(name, path, subdomain)
}

// ignoreErrors wants a place in the words in which it is refused.
func ignoreErrors(place string, path *field.Path) field.ErrorList {
	kind, name, _ := strings.Cut(place, "/")
	_, part, _ := strings.Cut(name, "/")
	if kind == "secret" && name != "" && part == "" || (kind == "configmap" || slices.Contains(workloadKinds, kind)) && part != "" {
		return nil
	}
	return field.ErrorList{field.Invalid(path, place, "must be secret/NAME, configmap/NAME/KEY or, for a variable, KIND/NAME/VARIABLE")}
}
