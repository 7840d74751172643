package config

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"
)

var sslModes = []string{"disable", "prefer", "require", "verify-ca", "verify-full"}

var authMethods = []string{"scram-sha-256", "md5", "password"}

var strategies = []string{"alternate", "clone", "same-user"}

func validatePostgres(t Target, path *field.Path) (all field.ErrorList) {
	path = path.Child("postgres")
	p := t.Postgres
	if p == nil {
		return field.ErrorList{field.Required(path, "")}
	}
	if p.Pod != "" && p.Service != "" {
		all = append(all, field.Forbidden(path.Child("service"), "the server is the pod given as pod"))
	}
	all = append(all, t.Server().validate(path)...)
	all = append(all, optional(p.Service, path.Child("service"), label)...)
	for i, address := range p.Through {
		if at := path.Child("through").Index(i); address == "" {
			all = append(all, field.Required(at, ""))
		} else {
			all = append(all, addressErrors(address, at)...)
		}
	}
	if p.Database == "" {
		all = append(all, field.Required(path.Child("database"), ""))
	}
	for i, one := range p.Standbys {
		all = append(all, standbyErrors(one, path.Child("standbys").Index(i))...)
	}
	if p.SSLMode != "" && !slices.Contains(sslModes, p.SSLMode) {
		all = append(all, field.NotSupported(path.Child("sslmode"), p.SSLMode, sslModes))
	} else {
		all = append(all, p.Certificates.validate("sslmode", p.SSLMode, path)...)
	}
	switch {
	case !slices.Contains(authMethods, p.Auth):
		all = append(all, field.NotSupported(path.Child("auth"), p.Auth, authMethods))
	case p.Auth == "password" && p.SSLMode != "verify-ca" && p.SSLMode != "verify-full":
		all = append(all, field.Forbidden(path.Child("auth"), "a password is sent in clear text only where sslmode is verify-ca or verify-full"))
	}
	if !slices.Contains(strategies, p.Strategy) {
		all = append(all, field.NotSupported(path.Child("strategy"), p.Strategy, strategies))
	}
	if p.Owner != "" && p.Strategy != "alternate" {
		all = append(all, field.Forbidden(path.Child("owner"), "only the strategy alternate has to do with an owner"))
	}
	return all
}

// standbyKinds are what may be named as standbys, beside addresses.
var standbyKinds = []string{"pod", "service", "statefulset"}

func standbyErrors(text string, path *field.Path) field.ErrorList {
	kind, name, found := strings.Cut(text, "/")
	switch {
	case text == "":
		return field.ErrorList{field.Required(path, "")}
	case !found:
		return addressErrors(text, path)
	case !slices.Contains(standbyKinds, kind):
		return field.ErrorList{field.NotSupported(path, kind, standbyKinds)}
	}
	return nameErrors(name, path, subdomain)
}
