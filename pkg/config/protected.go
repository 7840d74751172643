package config

import (
	"path"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ProtectedBy is the first pattern that a context's name fits; "" is none of them.
func (c Config) ProtectedBy(context string) string {
	for _, pattern := range c.Protected {
		if ok, _ := path.Match(plain(pattern), plain(context)); ok { // the pattern is valid, or it fits nothing
			return pattern
		}
	}
	return ""
}

// plain is a name without slashes, before which a * would stop: EKS and OpenShift have them in the names of contexts.
func plain(name string) string { return strings.ReplaceAll(name, "/", "\x00") }

func protectedErrors(patterns []string, at *field.Path) (all field.ErrorList) {
	for i, p := range patterns {
		if _, err := path.Match(plain(p), ""); err != nil || p == "" {
			all = append(all, field.Invalid(at.Index(i), p, "must be a name, where * stands for any letters: *prod*"))
		}
	}
	return all
}
