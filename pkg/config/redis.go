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

func (r Redis) validateTLS(path *field.Path) (all field.ErrorList) {
	if !slices.Contains(tlsModes, r.TLS) {
		return field.ErrorList{field.NotSupported(path.Child("tls"), r.TLS, tlsModes)}
	}
	all = r.CA.validate(path.Child("ca"))
	if r.CA != nil && r.TLS != "verify-ca" && r.TLS != "verify-full" {
		all = append(all, field.Forbidden(path.Child("ca"), "no certificate is checked unless tls is verify-ca or verify-full"))
	}
	if r.ServerName != "" && r.TLS != "verify-full" {
		all = append(all, field.Forbidden(path.Child("serverName"), "no name is checked unless tls is verify-full"))
	}
	if r.Certificate != "" && r.TLS == "disable" {
		all = append(all, field.Forbidden(path.Child("certificate"), "it is shown in TLS alone, which is disabled"))
	}
	return append(all, optional(r.Certificate, path.Child("certificate"), subdomain)...)
}

// tlsSecrets are the Secrets that TLS takes.
func (r Redis) tlsSecrets() (names []string) {
	if r.CA != nil {
		names = append(names, r.CA.Name)
	}
	if r.Certificate != "" {
		names = append(names, r.Certificate)
	}
	return names
}
