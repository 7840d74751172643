package config

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

var tlsModes = []string{"auto", "disable", "require", "verify-ca", "verify-full"}

func validateRedis(t Target, path *field.Path) (all field.ErrorList) {
	path = path.Child("redis")
	r := t.Redis
	if r == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	if r.Pod == "" && r.Address == "" {
		all = append(all, field.Required(path.Child("pod"), ""))
	}
	all = append(all, r.validateTLS(path)...)
	return append(all, t.Server().validate(path)...)
}

func (r Redis) validateTLS(path *field.Path) field.ErrorList {
	if !slices.Contains(tlsModes, r.TLS) {
		return field.ErrorList{field.NotSupported(path.Child("tls"), r.TLS, tlsModes)}
	}
	return r.Certificates.validate("tls", r.TLS, path)
}
