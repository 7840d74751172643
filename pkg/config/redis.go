package config

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

var tlsModes = []string{"auto", "disable", "require"}

func validateRedis(t Target, path *field.Path) (all field.ErrorList) {
	path = path.Child("redis")
	r := t.Redis
	if r == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	if r.Pod == "" && r.Address == "" {
		all = append(all, field.Required(path.Child("pod"), ""))
	}
	if !slices.Contains(tlsModes, r.TLS) {
		all = append(all, field.NotSupported(path.Child("tls"), r.TLS, tlsModes))
	}
	return append(all, t.Server().validate(path)...)
}
